//! `plan.json`: written, read again, and held against what there is now.

use std::{fs, io::Write, path::Path};

use serde::Deserialize;

use super::{PLAN_VERSION, Plan, cached, cut_lines, spec_file};
use crate::{
    Clock, Error, Kind, Result, Selected,
    input::digest_of,
    run_dir::{new_state, write_atomically},
};

/// The name of a plan in the directory of its run.
const KEPT: &str = "plan.json";

impl Plan {
    /// The plan as it stands in its file.
    ///
    /// # Errors
    /// [`Kind::Bug`]: it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.map_err(|error| Error::new(Kind::Bug, "write the plan").with_source(error))? + "\n")
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// The file cannot be read, is no plan, or is one of another version.
    pub fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
            fingerprint: String,
        }
        let text = fs::read(path).map_err(|error| Error::io(Kind::Spec, "read the plan", path, error))?;
        let wrong = |message: String| Error::new(Kind::Spec, format!("{}: {message}", path.display()));
        // The version first: a later format may differ in everything else.
        let version = serde_json::from_slice::<Version>(&text)
            .map_err(|error| wrong("not a plan".to_owned()).with_source(error))?;
        if version.version != PLAN_VERSION || version.fingerprint.is_empty() {
            let hint = format!("this program reads version {PLAN_VERSION}; plan again");
            return Err(wrong(format!("its version {} is not known", version.version)).with_hint(hint));
        }
        serde_json::from_slice(&text)
            .map_err(|error| wrong("not a plan".to_owned()).with_source(error).with_hint("plan again"))
    }

    /// Puts the plan into the directory of its run, where the report finds the estimate again.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn keep_in(&self, directory: &Path) -> Result<()> {
        let text = self.to_json()?;
        write_atomically(&directory.join(KEPT), |file| file.write_all(text.as_bytes()))
    }

    /// The plan that was kept with a run, if there is one that can be read.
    pub(crate) fn kept_in(directory: &Path) -> Option<Self> {
        Self::read(&directory.join(KEPT)).ok()
    }

    /// Sees to it that the cache answers as many records as when the plan was made: a run that is begun now
    /// would else send others than were planned. One that goes on has taken its answers already.
    ///
    /// # Errors
    /// [`Kind::Changed`]: it answers more or fewer; the table or the cache cannot be read.
    pub fn verify_cache(&self) -> Result<()> {
        let input = Path::new(&self.input.path);
        let selected = Selected::of(self.selection, input, &self.input.digest, &self.spec)?;
        let (was, is) = (self.cached, cached(&self.spec, input, selected, self.cache.as_ref())?.len());
        if was == is {
            return Ok(());
        }
        let message = format!("the cache answered {was} of the records when this was planned, and answers {is} now");
        Err(Error::new(Kind::Changed, message).with_hint("plan again, or with --no-cache"))
    }

    /// Sees to it that what would be run is what was planned, but for the cache.
    ///
    /// # Errors
    /// [`Kind::Changed`], with what has changed since: the table, the spec's file, the plan itself, or how
    /// request lines are built.
    pub fn verify(&self, clock: &dyn Clock) -> Result<()> {
        let changed = |what: String| {
            let again = self.spec_file.as_ref().map_or_else(String::new, |file| format!(" {}", file.path));
            Err(Error::new(Kind::Changed, what).with_hint(format!("plan again: `batch-cli plan{again} --out …`")))
        };
        let input = Path::new(&self.input.path);
        if !input.exists() {
            return changed(format!("the planned input {} is not there", self.input.path));
        }
        let now = digest_of(input)?;
        if now.digest != self.input.digest {
            let (was, is) = (self.input.bytes, now.bytes);
            return changed(format!(
                "{} has changed since the plan was made: it had {was} bytes and has {is}",
                now.path
            ));
        }
        // The plan stands for itself where the spec is gone; where it is there, it was perhaps changed on purpose.
        if let Some(file) = &self.spec_file
            && Path::new(&file.path).exists()
            && spec_file(Path::new(&file.path))?.digest != file.digest
        {
            return changed(format!("{} has changed since the plan was made", file.path));
        }
        let state = new_state(&self.spec, now, self.local, self.selection, clock);
        if state.fingerprint != self.fingerprint {
            return changed("the plan was changed since it was made: its fingerprint is another's".to_owned());
        }
        let selected = Selected::of(self.selection, input, &self.input.digest, &self.spec)?;
        let cached = cached(&self.spec, input, selected, self.cache.as_ref())?;
        if cached.len() != self.cached {
            // A run that was begun keeps to what the cache had then: see `verify_cache`.
            return Ok(());
        }
        let wanted = |index| selected.has(index) && !cached.has(index);
        let cut = cut_lines(&self.spec, input, &wanted, &mut |_, _, _| {})?;
        if cut.shards != self.shards {
            return changed("other request lines are built now than were planned".to_owned());
        }
        Ok(())
    }
}
