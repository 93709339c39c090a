//! Reading tables.

use batch_io::{ErrorKind, Record, Table, TableFormat, ValueType};
use proptest::prelude::*;

use crate::support::{Trickle, read_all};

fn check(csv: &str, rows: &[&[&str]]) {
    for step in [1, 2, 7, 4096] {
        let read = read_all(Trickle::new(csv.as_bytes(), step), TableFormat::CSV).unwrap();
        assert_eq!(read, rows, "{csv:?}, {step} bytes at a time");
    }
}

#[test]
fn values_are_kept_to_the_letter() {
    check(
        "id,本文\r\n1,\"a \"\"b\"\",\r\nc\"\r\n2,  d  \r\n3,\"\"\r\n4,5\" pipe\0\r\n",
        &[&["id", "本文"], &["1", "a \"b\",\r\nc"], &["2", "  d  "], &["3", ""], &["4", "5\" pipe\0"]],
    );
}

#[test]
fn line_ends_may_be_mixed_and_the_last_missing() {
    check("a,b\n1,2\r\n3,4", &[&["a", "b"], &["1", "2"], &["3", "4"]]);
    check("a,b\n1,", &[&["a", "b"], &["1", ""]]);
    check("a,b\n1,\"2\"", &[&["a", "b"], &["1", "2"]]);
    check("a\nx\r", &[&["a"], &["x"]]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    check("\u{feff}a,b\n1,\u{feff}2\n", &[&["a", "b"], &["1", "\u{feff}2"]]);
    check("\u{feff}\"a\",b\n", &[&["a", "b"]]);
}

#[test]
fn blank_lines_are_counted_and_quoted_ones_are_records() {
    let mut table = Table::new("\n\na\n\nx\n\r\n\"\"\n\n".as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let mut record = Record::new();
    let mut places = Vec::new();
    while table.read(&mut record).unwrap() {
        places.push((record.index(), record.line(), record.byte(), record.get(0).to_owned()));
    }
    assert_eq!(places, [(0, 5, 5, "x".to_owned()), (1, 7, 9, String::new())]);
    assert_eq!((table.blank_lines(), table.records()), (5, 2));
}

#[test]
fn a_record_knows_its_line_and_byte() {
    let csv = "\u{feff}a,b\r\n\"1\n\n\",日本\r\n3,4\n";
    let mut table = Table::new(csv.as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let mut record = Record::new();
    let mut places = Vec::new();
    while table.read(&mut record).unwrap() {
        places.push((record.line(), usize::try_from(record.byte()).unwrap()));
    }
    assert_eq!(places, [(2, csv.find("\"1").unwrap()), (5, csv.find("3,4").unwrap())]);
}

#[test]
fn delimiters_are_chosen() {
    let tsv = read_all("a\tb\n\"1\t\n\"\tx,y\n".as_bytes(), TableFormat::TSV).unwrap();
    assert_eq!(tsv, [["a", "b"], ["1\t\n", "x,y"]]);
    let semicolons = read_all("a;b\n1,0;2\n".as_bytes(), TableFormat::Csv { delimiter: b';' }).unwrap();
    assert_eq!(semicolons, [["a", "b"], ["1,0", "2"]]);
}

#[test]
fn a_record_larger_than_any_buffer_is_read() {
    let long = "長い\"本文\",\n".repeat(100_000);
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["a", "b"]).unwrap();
    csv.write_record([&long, "x"]).unwrap();
    csv.write_record(["y", &long]).unwrap();
    let bytes = csv.into_inner().unwrap();
    let rows = read_all(Trickle::new(&bytes, 10_000), TableFormat::CSV).unwrap();
    assert_eq!(rows, [["a", "b"], [&long, "x"], ["y", &long]]);
}

#[test]
fn json_lines_become_text_that_remembers_its_type() {
    let jsonl = "\u{feff}{\"s\":\"a\\n\\u65e5 \\\"\",\"n\":1.0,\"b\":true,\"z\":null,\"l\": [1, \"x y\"]}\r\n\n \
                 {\"n\":-1e3,\"s\":\"\",\"l\":{\"k\" : {}}}";
    for step in [1, 3, 4096] {
        let mut table = Table::new(Trickle::new(jsonl.as_bytes(), step), "t.jsonl", TableFormat::Jsonl).unwrap();
        assert_eq!(table.columns().names(), ["s", "n", "b", "z", "l"]);
        let mut record = Record::new();
        assert!(table.read(&mut record).unwrap());
        assert_eq!(record.iter().collect::<Vec<_>>(), ["a\n日 \"", "1.0", "true", "", "[1,\"x y\"]"]);
        let types: Vec<_> = (0..5).map(|column| record.value_type(column)).collect();
        use ValueType::{Bool, Json, Null, Number, Text};
        assert_eq!(types, [Text, Number, Bool, Null, Json]);

        assert!(table.read(&mut record).unwrap());
        assert_eq!((record.index(), record.line()), (1, 3));
        assert_eq!(record.iter().collect::<Vec<_>>(), ["", "-1e3", "", "", "{\"k\":{}}"]);
        let types: Vec<_> = (0..5).map(|column| record.value_type(column)).collect();
        assert_eq!(types, [Text, Number, Null, Null, Json]);
        assert!(!table.read(&mut record).unwrap());
        assert_eq!(table.blank_lines(), 1);
    }
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\r\n\té日🏉\u{0}\u{2028}]{0,20}",
        proptest::sample::select(vec!["", "\"", "\"\"", "\r\n", "\n", ",", "\u{feff}", " a "]).prop_map(str::to_owned),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..5).prop_flat_map(|columns| proptest::collection::vec(proptest::collection::vec(cell(), columns), 0..6))
}

fn write_csv(header: &[String], rows: &[Vec<String>], always: bool, crlf: bool, delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
        .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
        .delimiter(delimiter)
        .from_writer(Vec::new());
    writer.write_record(header).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_written_is_read(
        rows in rows(),
        always: bool,
        crlf: bool,
        delimiter in proptest::sample::select(vec![b',', b'\t', b';']),
        step in 1_usize..40,
    ) {
        let columns = rows.first().map_or(2, Vec::len);
        let header: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
        let bytes = write_csv(&header, &rows, always, crlf, delimiter);
        let read = read_all(Trickle::new(&bytes, step), TableFormat::Csv { delimiter }).unwrap();
        prop_assert_eq!(&read[0], &header);
        prop_assert_eq!(&read[1..], &rows[..]);
    }

    /// Where we read a file at all, the `csv` crate reads the same from it; what it reads
    /// and we do not is one of the faults that it lets pass.
    #[test]
    fn agrees_with_the_csv_crate(body in "(a|b|,|\"|\"\"|\r|\n|\r\n|é){0,24}", step in 1_usize..9) {
        let text = format!("x,y\n{body}");
        let theirs: Result<Vec<Vec<String>>, csv::Error> = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .records()
            .map(|record| record.map(|record| record.iter().map(str::to_owned).collect()))
            .collect();
        match (read_all(Trickle::new(text.as_bytes(), step), TableFormat::CSV), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Ok(ours), Err(error)) => prop_assert!(false, "read {ours:?} in spite of {error}"),
            (Err(error), Ok(_)) => prop_assert!(
                matches!(error.kind(), ErrorKind::Quote | ErrorKind::LineEnd),
                "{error}"
            ),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, jsonl: bool, step in 1_usize..9) {
        let format = if jsonl { TableFormat::Jsonl } else { TableFormat::CSV };
        let ours = read_all(Trickle::new(&bytes, step), format);
        if std::str::from_utf8(&bytes).is_err() {
            prop_assert!(ours.is_err());
        }
    }

    #[test]
    fn json_objects_are_read_as_they_are(
        objects in proptest::collection::vec(proptest::collection::vec(cell(), 3), 1..5),
        ascii: bool,
    ) {
        let mut text = String::new();
        for object in &objects {
            let members: serde_json::Map<_, _> = object.iter().enumerate()
                .map(|(column, value)| (format!("c{column}"), value.as_str().into())).collect();
            let line = serde_json::to_string(&members).unwrap();
            if ascii {
                for unit in line.encode_utf16() {
                    match u8::try_from(unit) {
                        Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
                        _ => text.push_str(&format!("\\u{unit:04x}")),
                    }
                }
            } else {
                text.push_str(&line);
            }
            text.push('\n');
        }
        let read = read_all(text.as_bytes(), TableFormat::Jsonl).unwrap();
        prop_assert_eq!(&read[1..], &objects[..]);
    }
}
