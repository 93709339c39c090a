//! Tables that several threads go through in turn: nothing shows of how many there are.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::thread::{self, ThreadId};

use batch_io::{Build, Join, KeySpec, RequestSpec, RequestTemplate, Table, TableFormat};

/// So many that the table is read in some twenty turns.
const ROWS: usize = 12_000;

/// A table of records of odd lengths, with all that makes one odd.
fn table(rows: usize) -> String {
    let mut text = "id,body\n".to_owned();
    for row in 0..rows {
        let long = if row % 997 == 5 { 40_000 } else { row * 37 % 500 };
        let body = "ab\"\"c, d\ne é日\u{1} ".repeat(1 + long / 16);
        text += &match row % 4 {
            0 => format!("k{row},plain {row}\r\n"),
            1 => format!("k{row},\"{body}\"\n\n"),
            2 => format!("\"k{row}\",\"{}\"\n", "x".repeat(long)),
            _ => format!("k{row},\"{}\"\r\n", "quotes \"\"".repeat(1 + long / 9)),
        };
    }
    text
}

fn threads(count: usize) -> NonZero<usize> {
    NonZero::new(count).expect("there is one at least")
}

/// A line, and the index, the line and the key of its record.
type Built = (u64, u64, String, Vec<u8>);

/// Lines, and how it ended.
fn built(text: &str, key: &KeySpec, count: usize) -> (Vec<Built>, Result<u64, String>) {
    let open = || Table::new(text.as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let template = RequestTemplate::compile(&RequestSpec::new("{{ body }} of {{ id }}"), open().columns()).unwrap();
    let mut lines = Vec::new();
    let summary = Build::new(&template, key).threads(threads(count)).lines(open(), |info, line| {
        lines.push((info.index, info.line, info.key.to_owned(), line.to_vec()));
        Ok::<(), batch_io::Error>(())
    });
    (lines, summary.map(|summary| summary.records).map_err(|error| error.to_string()))
}

/// Where the results are handed over, on which thread.
#[derive(Default)]
struct Writers(HashSet<ThreadId>);

impl Write for Writers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.insert(thread::current().id());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// That there are others where it is worth while is tested where they are started.
#[test]
fn a_small_table_is_this_threads_alone() {
    let text = "id,body\n".to_owned() + &"k,\n".repeat(3000);
    let open = || Table::new(text.as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), open().columns()).unwrap();
    let mut writers = Writers::default();
    Build::new(&template, &KeySpec::Index).threads(threads(3)).write(open(), &mut writers).unwrap();
    let opened = || {
        let reader: Box<dyn Read + Send> = Box::new(text.as_bytes());
        Table::new(reader, "t.csv", TableFormat::CSV)
    };
    let none: [&str; 0] = [];
    Join::new(opened, none).threads(threads(3)).run(&mut writers, &mut |_| {}).unwrap();
    assert_eq!(writers.0, HashSet::from([thread::current().id()]));
}

/// The error of who takes the lines, wherever it comes.
#[test]
fn who_takes_the_lines_ends_it_on_any_number_of_threads() {
    let text = table(3000);
    for count in 1..5 {
        for last in [0, 1, 500, 2999] {
            let open = || Table::new(text.as_bytes(), "t.csv", TableFormat::CSV).unwrap();
            let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), open().columns()).unwrap();
            let mut taken = Vec::new();
            let ended = Build::new(&template, &KeySpec::Index).threads(threads(count)).lines(open(), |info, _| {
                taken.push(info.index);
                if info.index == last { Err(io::Error::other("enough").into()) } else { Ok::<(), Ended>(()) }
            });
            assert_eq!(ended.unwrap_err().0, "enough");
            assert_eq!(taken, (0..=last).collect::<Vec<_>>());
        }
    }
}

#[derive(Debug)]
struct Ended(String);

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<batch_io::Error> for Ended {
    fn from(error: batch_io::Error) -> Self {
        Self(error.to_string())
    }
}

#[test]
fn lines_of_objects_are_built_the_same_on_any_number_of_threads() {
    let object = |row: usize| format!("{{\"id\":\"k{row}\",\"body\":\"{}\"}}\n", "é\\n".repeat(row * 37 % 500));
    let text: String = (0..ROWS).map(object).collect();
    let lines = |count| {
        let table = Table::new(text.as_bytes(), "t.jsonl", TableFormat::Jsonl).unwrap();
        let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table.columns()).unwrap();
        let mut out = Vec::new();
        Build::new(&template, &KeySpec::Column("id".into())).threads(threads(count)).write(table, &mut out).unwrap();
        out
    };
    let alone = lines(1);
    assert_eq!(alone.iter().filter(|byte| **byte == b'\n').count(), ROWS);
    assert!((2..5).all(|count| lines(count) == alone));
}

#[test]
fn a_build_is_the_same_on_any_number_of_threads() {
    let text = table(ROWS);
    for key in [KeySpec::Index, KeySpec::Column("id".into())] {
        let alone = built(&text, &key, 1);
        assert_eq!(alone.1, Ok(ROWS as u64));
        for count in 2..5 {
            assert!(built(&text, &key, count) == alone, "{count}");
        }
    }
}

#[test]
fn a_fault_is_the_same_on_any_number_of_threads_and_all_before_it_is_built() {
    for fault in ["k1,again\n", "a,b,c\n", "k,\"open\n", "k,\"a\" b\n", "k,a\rb\n"] {
        let text = format!("{}{fault}{}", table(3000), table(3000).replace('k', "q"));
        let alone = built(&text, &KeySpec::Column("id".into()), 1);
        assert_eq!(alone.0.len(), 3000, "{fault:?}");
        assert!(alone.1.is_err());
        for count in 2..5 {
            assert!(built(&text, &KeySpec::Column("id".into()), count) == alone, "{fault:?}, {count}");
        }
    }
}

/// The results, the records that were handed out, and how it ended.
fn joined(folder: &tempfile::TempDir, format: TableFormat, count: usize) -> (Vec<u8>, Vec<(String, String)>, String) {
    let (mut results, mut rows) = (Vec::new(), Vec::new());
    let join = Join::from_path(folder.path().join("t.csv"), TableFormat::CSV, [folder.path().join("p.jsonl")]);
    let join = join.key(KeySpec::Column("id".into())).skip(|index| index % 11 == 3).output(format);
    let summary = join.threads(threads(count)).run(&mut results, &mut |row| {
        rows.push((row.key().to_owned(), row.answer().unwrap_or_default().to_owned()));
    });
    let ended = summary.map_or_else(|error| error.to_string(), |summary| format!("{summary:?}"));
    let folder = folder.path().display().to_string();
    (results, rows, ended.replace(&folder, ""))
}

fn predictions(rows: usize) -> String {
    let answer = |row: usize| {
        let text = "word ".repeat(if row % 701 == 9 { 9000 } else { row % 7 });
        format!(
            r#"{{"key":"k{row}","response":{{"candidates":[{{"content":{{"parts":[{{"text":"{text}{row}"}}]}}}}]}}}}"#
        )
    };
    // Not in their order, some twice, some not at all.
    (0..rows).map(|row| row * 7919 % rows).filter(|row| row % 13 != 1).map(|row| answer(row) + "\n").collect::<String>()
        + &(0..rows / 50).map(|row| answer(row * 40) + "\n").collect::<String>()
}

#[test]
fn a_join_is_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), table(ROWS)).unwrap();
    std::fs::write(folder.path().join("p.jsonl"), predictions(ROWS)).unwrap();
    for format in [TableFormat::CSV, TableFormat::Jsonl] {
        let alone = joined(&folder, format, 1);
        assert_eq!(alone.1.len(), ROWS);
        assert!(alone.2.contains(&format!("records: {ROWS}")), "{}", alone.2);
        for count in 2..5 {
            assert!(joined(&folder, format, count) == alone, "{format:?}, {count}");
        }
    }
}

#[test]
fn a_join_hands_out_nothing_behind_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.jsonl"), predictions(3000)).unwrap();
    for fault in ["k1,again\n", "a,b,c\n", "k,\"open\n"] {
        let text = format!("{}{fault}{}", table(3000), table(3000).replace('k', "q"));
        std::fs::write(folder.path().join("t.csv"), text).unwrap();
        let (_, rows, ended) = joined(&folder, TableFormat::CSV, 1);
        assert_eq!(rows.len(), 3000, "{ended}");
        for count in 2..5 {
            let (_, others, as_well) = joined(&folder, TableFormat::CSV, count);
            assert!(others == rows, "{fault:?}, {count}");
            assert_eq!(as_well, ended);
        }
    }
}

/// Takes some bytes, and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_a_join_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), table(ROWS)).unwrap();
    std::fs::write(folder.path().join("p.jsonl"), predictions(ROWS)).unwrap();
    for count in 1..5 {
        let join = Join::from_path(folder.path().join("t.csv"), TableFormat::CSV, [folder.path().join("p.jsonl")]);
        let error = join.threads(threads(count)).run(&mut Full(1_000_000), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "writing the results failed");
    }
}
