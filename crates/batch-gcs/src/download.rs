//! An object on its way here, checked.

use batch_backend::{Error, Kind, Result};
use batch_model::GcsUri;
use bytes::Bytes;

use crate::{api::Object, client::GcsClient, google::Reader};

/// The bytes of one object, of the generation that was looked at before.
pub(crate) struct Download {
    gcs: GcsClient,
    uri: GcsUri,
    object: Object,
    state: State,
    offset: u64,
    crc32c: u32,
}

enum State {
    /// Opened when the first bytes are asked for: the object may be one of many.
    Closed,
    Open(Reader),
    Ended,
}

impl Download {
    pub(crate) fn new(gcs: GcsClient, uri: GcsUri, object: Object) -> Self {
        Self { gcs, uri, object, state: State::Closed, offset: 0, crc32c: 0 }
    }

    /// How many bytes have come.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next bytes, never none; `None` at the end, when size and checksum were found to be right.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(None),
                State::Closed if self.object.size == 0 => self.state = State::Ended,
                State::Closed => {
                    let opened = self.gcs.google().read(&self.uri, Some(self.object.generation)).await;
                    self.state = State::Open(opened.map_err(|error| self.explain(error))?);
                }
                State::Open(reader) => match reader.next().await {
                    Ok(Some(bytes)) if bytes.is_empty() => {}
                    Ok(Some(bytes)) => {
                        self.offset += bytes.len() as u64;
                        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
                        return Ok(Some(bytes));
                    }
                    Ok(None) => {
                        self.verify()?;
                        self.state = State::Ended;
                    }
                    // A read that is taken up again may find the object replaced.
                    Err(error) => return Err(self.explain(error)),
                },
            }
        }
    }

    /// Compares what has come with what was looked at. Google's client compares with what it was told
    /// when the read began, which some servers do not tell.
    fn verify(&self) -> Result<()> {
        let Object { size, crc32c, .. } = self.object;
        let why = match crc32c {
            _ if self.offset != size => format!("it has {size} bytes, and {} came", self.offset),
            Some(crc32c) if crc32c != self.crc32c => {
                format!("its CRC32C is {crc32c:08x}, and that of what came is {:08x}", self.crc32c)
            }
            _ => return Ok(()),
        };
        Err(Error::new(Kind::DataLoss, "read", self.uri.to_string()).with_source(why))
    }

    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            Kind::NotFound => {
                self.gcs.advise(error.with_hint("it was replaced or deleted since it was listed: run again"), &self.uri)
            }
            Kind::DataLoss => error.with_hint("run again; if it stays so, compare with `gcloud storage hash`"),
            _ => self.gcs.advise(error, &self.uri),
        }
    }
}
