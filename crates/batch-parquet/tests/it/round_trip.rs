//! Every value comes back.

use batch_parquet::write_join;
use parquet::file::reader::FileReader;
use parquet::record::Field;
use parquet::schema::printer::print_schema;
use proptest::prelude::*;

use crate::{Folder, ReadBack, prediction};

/// The cell of the CSV that this value stands for.
fn cell(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(count) => count.to_string(),
        Field::Double(cost) => cost.to_string(),
        other => panic!("no column has {other:?}"),
    }
}

fn assert_same(folder: &Folder, group_bytes: usize) -> ReadBack {
    let csv = folder.csv();
    let read = ReadBack::new(folder.parquet(group_bytes));
    assert_eq!(read.names, csv[0]);
    let rows: Vec<Vec<String>> = read.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    assert_eq!(rows, csv[1..]);
    read
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z\"',;\\\\\t\r\n\0é日😀]{0,12}",
        Just(String::new()),
        Just("null".to_owned()),
        "\\{\"class\":(\"[a-z]{0,3}\"|null|1\\.50|\\[1, 2\\])\\}",
        "[a-z]{1,3}".prop_map(|text| text.repeat(400)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_the_csv_has(
        rows in proptest::collection::vec((text(), text(), 0u32..1_000_000, 0u8..4), 1..40),
        group_bytes in 1usize..4000,
    ) {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["id", "a.b \"c\""]).unwrap();
        let mut predictions = String::new();
        for (number, (body, answer, tokens, fate)) in rows.iter().enumerate() {
            table.write_record([&number.to_string(), body]).unwrap();
            match fate {
                0 => {}
                1 => predictions.push_str(&format!("{{\"key\":\"r{number}\",\"status\":\"Bad Request: {{}}\"}}\n")),
                _ => predictions.push_str(&prediction(number, answer, *tokens)),
            }
        }
        let table = String::from_utf8(table.into_inner().unwrap()).unwrap();
        assert_same(&Folder::new(&table, &predictions), group_bytes);
    }
}

#[test]
fn a_huge_value_and_many_row_groups() {
    let huge = "x\u{1F600}".repeat(1 << 19);
    let mut table = format!("body\n{huge}\n");
    for number in 0..3000 {
        table.push_str(&format!("row {number}\n"));
    }
    let predictions: String = (0..3000).map(|number| prediction(number, "the same", 7)).collect();
    let read = assert_same(&Folder::new(&table, &predictions), 20_000);
    assert!(5 < read.reader.num_row_groups(), "{}", read.reader.num_row_groups());
}

#[test]
fn the_schema_has_the_columns_of_the_csv() {
    let folder = Folder::new(
        "id,body\n1,a\n2,\n",
        &(prediction(0, r#"{"class":"x","score":1.50}"#, 10) + &prediction(1, r#"{"class":"","score":null}"#, 20)),
    );
    let read = assert_same(&folder, 1 << 20);
    let metadata = read.reader.metadata().file_metadata();
    assert_eq!(metadata.created_by(), Some(concat!("batch-cli version ", env!("CARGO_PKG_VERSION"))));
    let mut schema = Vec::new();
    print_schema(&mut schema, metadata.schema());
    insta::assert_snapshot!("schema", String::from_utf8(schema).unwrap());
    // An empty cell of the table is a text, and so is an empty field; a null field is null.
    assert_eq!(read.rows[1][1], Field::Str(String::new()));
    assert_eq!(read.rows[1][11..], [Field::Str(String::new()), Field::Null]);
    assert_eq!(read.rows[0][4], Field::Null, "no detail");
}

#[test]
fn a_jsonl_tables_values_are_text_and_its_nulls_are_null() {
    let folder = Folder::new("{\"n\":1.0,\"b\":true,\"x\":null,\"j\":[1, 2]}\n{\"n\":\"\",\"b\":null}\n", "");
    let read = assert_same(&folder, 1 << 20);
    let text = |text: &str| Field::Str(text.to_owned());
    assert_eq!(read.rows[0][..4], [text("1.0"), text("true"), Field::Null, text("[1,2]")]);
    assert_eq!(read.rows[1][..4], [text(""), Field::Null, Field::Null, Field::Null]);
}

#[test]
fn a_table_without_records_has_columns() {
    let read = assert_same(&Folder::new("body\n", ""), 1 << 20);
    assert_eq!((read.rows.len(), read.reader.num_row_groups()), (0, 0));
    assert_eq!(read.names[..2], ["body", "outcome"]);
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let folder = Folder::new("body\na\nb\n", &prediction(1, "x", 3));
    assert_eq!(folder.parquet(1 << 20), folder.parquet(1 << 20));
    let mut file = Vec::new();
    assert_eq!(write_join(folder.join(), &mut file, &mut |_| {}).unwrap().unwrap().predictions, 1);
    assert_eq!(file, folder.parquet(1 << 20));
}

/// More rows than a page may have, in columns that have a text now and then.
#[test]
fn nulls_among_texts_that_do_not_repeat() {
    let mut table = String::new();
    for number in 0..50_000 {
        let strewn = if number % 3 == 0 { format!("\"strewn {number}\"") } else { "null".to_owned() };
        let rare = if number % 40 == 7 { format!("\"rare {number}\"") } else { "null".to_owned() };
        table.push_str(&format!("{{\"strewn\":{strewn},\"rare\":{rare}}}\n"));
    }
    let read = assert_same(&Folder::new(&table, ""), 1 << 30);
    for (column, texts) in [(0, 16_667), (1, 1_250)] {
        let told = read.reader.metadata().row_group(0).column(column);
        assert_eq!(told.dictionary_page_offset(), None);
        assert_eq!(told.statistics().unwrap().null_count_opt(), Some(50_000 - texts));
        let pages = read.reader.get_row_group(0).unwrap().get_column_page_reader(column).unwrap();
        let rows: Vec<u32> = pages.map(|page| page.unwrap().num_values()).collect();
        assert!(rows.len() >= 3 && rows.iter().all(|rows| *rows <= 20_000), "{rows:?}");
        assert_eq!(rows.iter().sum::<u32>(), 50_000);
    }
}

/// What repeats has a dictionary, what is long has no statistics.
#[test]
fn columns_are_written_by_what_they_hold() {
    let mut table = "id,label,body\n".to_owned();
    for number in 0..500 {
        table.push_str(&format!("{number},{},{}\n", ["red", "green"][number % 2], "long ".repeat(100)));
    }
    let read = assert_same(&Folder::new(&table, &prediction(0, "x", 3)), 1 << 20);
    let group = read.reader.metadata().row_group(0);
    let told = |column: usize| {
        let column = group.column(column);
        (column.dictionary_page_offset().is_some(), column.statistics().is_some())
    };
    assert_eq!(told(0), (false, true), "ids");
    assert_eq!(told(1), (true, true), "labels");
    assert_eq!(told(2), (false, false), "bodies");
    assert_eq!(told(3), (true, true), "outcomes");
    let ids = group.column(0).statistics().unwrap();
    assert_eq!((ids.min_bytes_opt(), ids.max_bytes_opt()), (Some(&b"0"[..]), Some(&b"99"[..])));
    assert_eq!((ids.null_count_opt(), ids.min_is_exact(), ids.max_is_exact()), (Some(0), true, true));
    let pages = read.reader.get_row_group(0).unwrap().get_column_page_reader(2).unwrap();
    let sizes: Vec<usize> = pages.map(|page| page.unwrap().buffer().len()).collect();
    assert!(sizes.len() == 4 && sizes.iter().all(|size| *size < 2 * (64 << 10)), "pages of bodies: {sizes:?}");
}
