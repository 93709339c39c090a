//! Makes a small recording of prediction files: `condense MODEL DATE SERVER FILE… > recording.jsonl`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read};

use batch_emulator::{RecordingAbout, condense};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("there is no {what}"));
    let mut about = RecordingAbout::new(next("MODEL")?, next("DATE")?);
    about.server = Some(next("SERVER")?);
    let mut predictions: Box<dyn Read> = Box::new(io::empty());
    for file in arguments {
        predictions = Box::new(predictions.chain(File::open(file)?));
    }
    let count = condense(&about, BufReader::new(predictions), io::stdout().lock())?;
    if count == 0 {
        return Err("there is no answer in the predictions".into());
    }
    Ok(())
}
