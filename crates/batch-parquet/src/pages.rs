//! Texts that do not repeat, as compressed pages in the memory.
//!
//! A text is copied once, into the page that it belongs to, and the page is compressed as soon as it is
//! full, while it lies in the processor's cache: what waits for the rest of the row group takes the room of
//! compressed pages. The column writers of the `parquet` crate want all of a column at once and have every
//! byte copied four times more.

use bytes::{Bytes, BytesMut};
use parquet::basic::{Compression, Encoding, PageType};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::schema::types::ColumnDescPtr;

use crate::compress::Compressor;
use crate::extremes::Extremes;
use crate::header::push_header;
use crate::levels::Levels;
use crate::text::Text;

/// A page that takes so many bytes before it is compressed is full. One text alone may take more.
///
/// Snappy looks back no further than this, so that larger pages are hardly smaller files.
pub(crate) const PAGE_BYTES: usize = 64 << 10;
/// A page has no more rows than this, however short they are: what a reader has to take at once.
const PAGE_ROWS: usize = 20_000;
/// Room before a page's texts for its levels, where they are a few bytes as they mostly are.
const FRONT: usize = 16;

/// The pages of one column in one row group.
pub(crate) struct Pages {
    /// The page that is being filled: [`FRONT`], then each text behind its length.
    page: Vec<u8>,
    levels: Levels,
    /// The least and the greatest text, where they are asked for.
    extremes: Option<Extremes>,
    /// Pages with their headers, and what stood here before: only what is added is ever zeroed.
    chunk: BytesMut,
    /// Where the pages end.
    end: usize,
    /// That of the last page: the next one's is mostly as long.
    header: Vec<u8>,
    offsets: OffsetIndexBuilder,
    count: i32,
    rows: u64,
    nulls: u64,
    uncompressed: i64,
}

impl Pages {
    pub(crate) fn new(has_extremes: bool) -> Self {
        Self {
            page: vec![0; FRONT],
            levels: Levels::default(),
            extremes: has_extremes.then(Extremes::default),
            chunk: BytesMut::new(),
            end: 0,
            header: Vec::new(),
            offsets: OffsetIndexBuilder::new(),
            count: 0,
            rows: 0,
            nulls: 0,
            uncompressed: 0,
        }
    }

    /// The next row's text, or none.
    pub(crate) fn push<T: Text>(&mut self, text: Option<T>, compressor: &mut Compressor) -> Result<()> {
        let size = text.as_ref().map_or(0, |text| size_of::<u32>() + text.length());
        let rows = self.levels.rows();
        if PAGE_ROWS <= rows || 0 < rows && PAGE_BYTES < self.page.len() + size {
            self.end_page(compressor)?;
        }
        self.levels.push(text.is_some());
        let Some(text) = text else { return Ok(()) };
        let length = u32::try_from(text.length()).map_err(|_| too_long())?;
        self.page.extend_from_slice(&length.to_le_bytes());
        let start = self.page.len();
        text.each_piece(|piece| self.page.extend_from_slice(piece));
        if let Some(extremes) = &mut self.extremes {
            extremes.push(&self.page[start..]);
        }
        Ok(())
    }

    /// Compresses the page that is being filled, and begins the next.
    fn end_page(&mut self, compressor: &mut Compressor) -> Result<()> {
        let rows = self.levels.rows();
        self.rows += rows as u64;
        self.nulls += self.levels.nulls() as u64;
        let levels = self.levels.take();
        let start = match FRONT.checked_sub(levels.len()) {
            Some(start) => {
                self.page[start..FRONT].copy_from_slice(&levels);
                start
            }
            None => {
                self.page.splice(..FRONT, levels);
                0
            }
        };
        let whole = &self.page[start..];
        // Compressed to where it stays, if its header is as long as the last one.
        let (begin, guess) = (self.end, self.header.len());
        let room = begin + guess + compressor.most(whole.len());
        if self.chunk.len() < room {
            self.chunk.resize(room, 0);
        }
        let length = compressor.compress(whole, &mut self.chunk[begin + guess..])?;
        let number = |length: usize| i32::try_from(length).map_err(|_| too_long());
        let count = |length: usize| number(length).map(i32::unsigned_abs);
        self.header.clear();
        push_header(&mut self.header, count(rows)?, count(whole.len())?, count(length)?);
        let texts = begin + self.header.len();
        if guess != self.header.len() {
            self.chunk.resize(self.chunk.len().max(texts + length), 0);
            self.chunk.copy_within(begin + guess..begin + guess + length, texts);
        }
        self.chunk[begin..texts].copy_from_slice(&self.header);
        self.end = texts + length;
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(begin as i64, number(self.end - begin)?);
        self.uncompressed += (self.header.len() + whole.len()) as i64;
        self.count += 1;
        self.page.truncate(FRONT);
        self.page.shrink_to(2 * PAGE_BYTES);
        Ok(())
    }

    /// What was pushed as a part of a row group, and behind it anything, with what the footer tells of it;
    /// nothing is left.
    pub(crate) fn take(
        &mut self,
        column: ColumnDescPtr,
        compressor: &mut Compressor,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        if 0 < self.levels.rows() {
            self.end_page(compressor)?;
        }
        let bytes = std::mem::take(&mut self.chunk).freeze();
        let length = std::mem::take(&mut self.end);
        let (rows, nulls) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.nulls));
        let count = std::mem::take(&mut self.count);
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::SNAPPY)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_page_encoding_stats(vec![PageEncodingStats {
                page_type: PageType::DATA_PAGE,
                encoding: Encoding::PLAIN,
                count,
            }])
            .set_total_compressed_size(length as i64)
            .set_total_uncompressed_size(std::mem::take(&mut self.uncompressed))
            .set_num_values(rows as i64)
            .set_data_page_offset(0);
        if let Some(extremes) = &mut self.extremes {
            metadata = metadata.set_statistics(extremes.take(nulls));
        }
        let told = ColumnCloseResult {
            bytes_written: length as u64,
            rows_written: rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(std::mem::take(&mut self.offsets).build()),
        };
        Ok((bytes, told))
    }

    /// Uses the memory of the last row group for the next.
    pub(crate) fn reuse(&mut self, bytes: Bytes) {
        if let Ok(bytes) = bytes.try_into_mut() {
            self.chunk = bytes;
        }
    }
}

fn too_long() -> ParquetError {
    ParquetError::General("a text is longer than a page can be".to_owned())
}
