//! A disk that is full.

use std::error::Error as _;
use std::io::{self, Write};

use batch_parquet::{ErrorKind, ParquetResults, write_join};

use crate::Folder;

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0 == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn a_full_disk_is_told_wherever_it_ends() {
    let table: String = (0..60).map(|number| format!("row {number}\n")).collect();
    let folder = Folder::new(&format!("body\n{table}"), "");
    let whole = folder.parquet(500).len();
    for room in (0..whole).step_by(97) {
        let mut results = ParquetResults::new(Full(room)).row_group_bytes(500);
        let mut failed = None;
        let summary = folder.join().for_each(&mut |row| {
            let pushed = results.push(row);
            assert!(failed.is_none() || pushed.is_err(), "after a failure every call fails");
            failed = failed.take().or(pushed.err());
        });
        let error = match (failed, results.finish(&summary.unwrap())) {
            (first, Err(last)) => first.unwrap_or(last),
            (_, Ok(_)) => panic!("{room} bytes were enough for {whole}"),
        };
        assert_eq!((error.kind(), error.is_io()), (ErrorKind::Io, true));
        let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
        assert_eq!(error.to_string(), "writing the results failed");
    }
}

#[test]
fn a_join_is_shown_whole_though_its_file_failed() {
    let folder = Folder::new("body\na\nb\n", "");
    let mut seen = 0;
    let error = write_join(folder.join(), Full(0), &mut |_| seen += 1).unwrap().unwrap_err();
    assert_eq!((error.kind(), seen), (ErrorKind::Io, 2));
}

#[test]
fn predictions_that_are_not_there_are_the_joins_fault() {
    let folder = Folder::new("body\na\n", "");
    let join = folder.join().requests("/there is no such file");
    assert!(write_join(join, Vec::new(), &mut |_| {}).is_err());
}
