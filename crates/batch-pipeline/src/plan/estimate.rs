//! The tokens of a run, from its request lines.

use batch_model::{
    ModelName, models,
    prices::{UsageCounts, UsageTotals},
};
use serde::{Deserialize, Serialize};

use super::{
    answer::{Answer, answer},
    history::Measured,
    line::Prompts,
    tokens::Ranged,
};
use crate::Spec;

/// The tokens that a run will have, with how they were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Tokens of prompts.
    pub input: Ranged<u64>,
    /// Tokens of answers, without thoughts.
    pub output: Ranged<u64>,
    /// Tokens of thoughts, which are paid as output.
    pub thinking: Ranged<u64>,
    /// The same, kept apart as they are priced.
    pub usage: Ranged<UsageTotals>,
    /// How they were found, a sentence each.
    pub method: Vec<String>,
    /// The earlier run that the estimate is taken from, if there is one.
    pub measured: Option<Measured>,
}

/// Adds up the tokens of request lines.
pub(super) struct Estimator {
    prompts: Prompts,
    answer: Answer,
    measured: Option<Measured>,
    usage: Ranged<UsageTotals>,
}

impl Estimator {
    pub(super) fn new(spec: &Spec, model: &ModelName, measured: Option<Measured>) -> Self {
        let config = spec.request.generation_config.as_ref();
        let info = models::find(model);
        let mut answer = answer(config, &spec.request.model, info);
        if let Some(measured) = &measured {
            answer.output = around(measured.output, measured.spread());
            answer.thinking = around(measured.thinking, measured.spread());
        }
        Self { prompts: Prompts::new(config, info), answer, measured, usage: Ranged::default() }
    }

    pub(super) fn add(&mut self, line: &[u8]) {
        let mut prompt = match self.prompts.count(line) {
            Some(prompt) => prompt.counts(),
            None => Ranged::default(),
        };
        if let Some(measured) = self.measured.as_ref().filter(|measured| measured.same_records) {
            // The same prompts were counted by the service itself; which are long, the lines tell still.
            prompt = prompt.zip(&Ranged::each(whole(measured.prompt)), |counted, mean| UsageCounts {
                prompt: if counted.audio == 0 { *mean } else { counted.prompt },
                ..*counted
            });
        }
        let Answer { output, thinking, media, .. } = &self.answer;
        let counts = prompt
            .zip(output, |counts, candidates| UsageCounts { candidates: *candidates, ..*counts })
            .zip(thinking, |counts, thoughts| UsageCounts { thoughts: *thoughts, ..*counts })
            .zip(media, |counts, media| UsageCounts { media: *media, ..*counts });
        self.usage.low.add_counts(&counts.low);
        self.usage.expected.add_counts(&counts.expected);
        self.usage.high.add_counts(&counts.high);
    }

    pub(super) fn finish(self) -> Estimate {
        let same_records = self.measured.as_ref().is_some_and(|measured| measured.same_records);
        let mut method = vec![if same_records {
            "prompts: as the service counted them in an earlier run of the same records".to_owned()
        } else {
            "prompts: rates by class of character, fitted to the vocabulary of Gemma 3; the high figure counts the \
             answer's schema too"
                .to_owned()
        }];
        method.extend(self.prompts.file_methods());
        match &self.measured {
            Some(measured) => method.push(measured.method()),
            None => method.extend([self.answer.output_method, self.answer.thinking_method]),
        }
        Estimate {
            input: self.usage.map(|usage| usage.all().prompts()),
            output: self.usage.map(|usage| usage.all().output + usage.all().media_output),
            thinking: self.usage.map(|usage| usage.all().thinking),
            usage: self.usage,
            method,
            measured: self.measured,
        }
    }
}

fn around(mean: f64, spread: f64) -> Ranged<u64> {
    Ranged { low: whole(mean / spread), expected: whole(mean), high: whole((mean * spread).ceil()) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean of counts is small and not below 0"
)]
fn whole(mean: f64) -> u64 {
    mean.round().max(0.0) as u64
}
