//! Which rows of a page have a value.

use crate::header::push_number;

/// The definition levels of an optional column: 1 where there is a value, 0 where there is none.
#[derive(Default)]
pub(crate) struct Levels {
    /// Rows that are alike, one behind the other, with how many they are.
    runs: Vec<(bool, usize)>,
    rows: usize,
    nulls: usize,
}

impl Levels {
    pub(crate) fn push(&mut self, is_there: bool) {
        self.rows += 1;
        self.nulls += usize::from(!is_there);
        match self.runs.last_mut() {
            Some((last, count)) if *last == is_there => *count += 1,
            _ => self.runs.push((is_there, 1)),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn nulls(&self) -> usize {
        self.nulls
    }

    /// As they stand in a page, in the encoding that is called RLE, behind their length; nothing is left.
    ///
    /// That encoding mixes runs with pieces of one bit for each row. This writes runs alone, or bits
    /// alone where these take less, as where nulls are strewn in.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<u32>()];
        if self.runs.len() <= self.rows.div_ceil(8 * 2) {
            for &(is_there, count) in &self.runs {
                push_number(&mut bytes, (count as u64) << 1);
                bytes.push(u8::from(is_there));
            }
        } else {
            push_number(&mut bytes, (self.rows.div_ceil(8) as u64) << 1 | 1);
            let start = bytes.len();
            bytes.resize(start + self.rows.div_ceil(8), 0);
            let mut row = 0;
            for &(is_there, count) in &self.runs {
                for row in row..row + count {
                    bytes[start + row / 8] |= u8::from(is_there) << (row % 8);
                }
                row += count;
            }
        }
        // A page has no more rows than fit.
        let length = u32::try_from(bytes.len() - size_of::<u32>()).unwrap_or(u32::MAX);
        bytes[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
        self.runs.clear();
        (self.rows, self.nulls) = (0, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rows: &[bool]) -> Vec<u8> {
        let mut levels = Levels::default();
        rows.iter().for_each(|row| levels.push(*row));
        assert_eq!((levels.rows(), levels.nulls()), (rows.len(), rows.iter().filter(|row| !**row).count()));
        let bytes = levels.take();
        assert_eq!((levels.rows(), levels.nulls()), (0, 0));
        bytes
    }

    #[test]
    fn rows_that_are_alike_are_a_run() {
        assert_eq!(taken(&[true; 3]), [2, 0, 0, 0, 3 << 1, 1]);
        assert_eq!(taken(&[false; 100]), [3, 0, 0, 0, 0x80 | (200 & 0x7F), 1, 0]);
        assert_eq!(taken(&[[true; 40], [false; 40]].concat()), [4, 0, 0, 0, 80, 1, 80, 0]);
    }

    #[test]
    fn rows_that_differ_are_bits() {
        assert_eq!(
            taken(&[true, false, false, true, true, false, true, false, true]),
            [3, 0, 0, 0, 2 << 1 | 1, 0b0101_1001, 1]
        );
    }
}
