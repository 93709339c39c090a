//! What stands before a data page.

/// Appends the `PageHeader` of a data page in the plain encoding, as Thrift's compact protocol has it.
///
/// The `parquet` crate writes one only together with a page in a buffer of its own, which takes two more
/// copies of every compressed byte.
pub(crate) fn push_header(out: &mut Vec<u8>, rows: u32, uncompressed: u32, compressed: u32) {
    /// The high half of a field's first byte is by how much its number is greater than that before it.
    const NEXT: u8 = 1 << 4;
    const I32: u8 = 5;
    const STRUCT: u8 = 12;
    const STOP: u8 = 0;
    const DATA_PAGE: u32 = 0;
    const PLAIN: u32 = 0;
    const RLE: u32 = 3;
    let push_numbers = |out: &mut Vec<u8>, numbers: &[u32]| {
        for number in numbers {
            out.push(NEXT | I32);
            // As a signed number, which is twice as great where it is not negative.
            push_number(out, u64::from(*number) << 1);
        }
    };
    push_numbers(out, &[DATA_PAGE, uncompressed, compressed]);
    // The next but one: there is no checksum, as the crate writes none.
    out.push((2 * NEXT) | STRUCT);
    push_numbers(out, &[rows, PLAIN, RLE, RLE]);
    out.extend_from_slice(&[STOP, STOP]);
}

/// Appends a number as seven bits a byte, the lowest first.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while 0x7F < number {
        out.push(0x80 | (number & 0x7F) as u8);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::basic::Encoding;
    use parquet::column::page::{CompressedPage, Page, PageWriter};
    use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_that_of_the_crate(rows: u16, uncompressed in 0u32..1 << 24, compressed in 0u32..1 << 18) {
            let page = Page::DataPage {
                buf: Bytes::from(vec![0; compressed as usize]),
                num_values: rows.into(),
                encoding: Encoding::PLAIN,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let mut theirs = TrackedWrite::new(Vec::new());
            let page = CompressedPage::new(page, uncompressed as usize);
            SerializedPageWriter::new(&mut theirs).write_page(page).unwrap();
            let theirs = theirs.into_inner().unwrap();
            let mut ours = Vec::new();
            push_header(&mut ours, rows.into(), uncompressed, compressed);
            prop_assert_eq!(ours.len() + compressed as usize, theirs.len());
            prop_assert!(theirs.starts_with(&ours));
        }
    }
}
