//! What a run will cost, and what it has cost: tokens at the prices of a dated list.

use std::collections::{BTreeMap, BTreeSet};

use batch_io::{JoinedRow, Outcome};
use batch_model::prices::{self, Cost, Price, UsageTotals};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Kind, Plan, Ranged, Result, Spec,
    state::{RunState, Shard},
};

/// What a run will cost in USD, as far as the tokens and the prices are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostEstimate {
    /// The day of the price list.
    pub prices_as_of: String,
    /// In a batch. A part that is absent is not known.
    pub batch: Ranged<Cost>,
    /// The same tokens, one request at a time.
    pub online: Ranged<Cost>,
}

impl CostEstimate {
    /// What these tokens cost; `None` where the model's price is not known.
    #[must_use]
    pub fn of(price: Option<&Price>, tokens: &Ranged<UsageTotals>) -> Option<Self> {
        let price = price?;
        Some(Self {
            prices_as_of: prices::AS_OF.to_owned(),
            batch: tokens.map(|tokens| prices::cost(price, tokens)),
            online: tokens.map(|tokens| prices::online_cost(price, tokens)),
        })
    }
}

/// The price of the spec's model; `None` where it is not known.
#[must_use]
pub fn price_of(spec: &Spec) -> Option<&'static Price> {
    prices::find(&spec.model().ok()?)
}

/// Which figure of an estimate a ceiling is held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CostBound {
    /// The best guess.
    Expected,
    /// What it will hardly be more than.
    #[default]
    High,
}

/// Most that a run may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxCost {
    /// In USD.
    pub usd: f64,
    /// Held against this figure of the estimate.
    pub bound: CostBound,
}

impl MaxCost {
    /// Refuses what would cost more in a batch.
    ///
    /// # Errors
    /// [`Kind::Cost`]: it would be more, or nobody knows.
    pub fn check(&self, model: &str, cost: Option<&CostEstimate>) -> Result<()> {
        let refused = |message: String, hint: &str| Err(Error::new(Kind::Cost, message).with_hint(hint));
        let Some(cost) = cost else {
            return refused(
                format!(
                    "the price of {model} is not known, so that nobody can say whether it is below {}",
                    usd(self.usd)
                ),
                "leave out --max-cost, or take a model that `batch-cli models` has a price for",
            );
        };
        let (which, bound) = match self.bound {
            CostBound::Expected => ("expected", &cost.batch.expected),
            CostBound::High => ("high", &cost.batch.high),
        };
        let Some(total) = bound.total() else {
            let least = usd(bound.at_least());
            return refused(
                format!(
                    "some of the tokens have no known price: it may cost more than {}, and {least} at least",
                    usd(self.usd)
                ),
                "leave out --max-cost; `batch-cli plan` shows which part has no price",
            );
        };
        if total <= self.usd {
            return Ok(());
        }
        let hint = match self.bound {
            CostBound::High if cost.batch.expected.total().is_some_and(|expected| expected <= self.usd) => {
                "the expected cost is below it: limit the answers with maxOutputTokens or thinkingBudget, or hold the \
                 ceiling against the expected cost with --max-cost-by expected"
            }
            _ => "take fewer records (--limit; of a retry --only), a cheaper model, or a higher --max-cost",
        };
        refused(format!("it may cost {} ({which} estimate), more than the {} allowed", usd(total), usd(self.usd)), hint)
    }
}

/// What the answers of a run cost, as `usageMetadata` tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spending {
    /// Whether the service bills it: answers of an emulator cost nothing, and what they would cost is told.
    pub billed: bool,
    /// The day of the price list; absent where the model's price is not known.
    pub prices_as_of: Option<String>,
    /// Predictions that joined and tell their tokens, without those from the cache.
    pub answers: u64,
    /// Responses that joined and tell no tokens: what they cost is not in any figure here.
    pub without_counts: u64,
    /// The tokens of `answers`.
    pub usage: UsageTotals,
    /// The tokens of predictions that do not count, because another attempt's does: paid for as well. Answers
    /// that the service carried over from one job to the next are not among them.
    pub superseded: UsageTotals,
    /// The tokens of answers that came from the cache: paid for by an earlier run, and not again.
    pub cached: UsageTotals,
    /// What `usage` cost in a batch. A part that is absent is not known.
    pub cost: Option<Cost>,
    /// What `superseded` cost.
    pub superseded_cost: Option<Cost>,
    /// What `usage` would have cost one request at a time.
    pub online_cost: Option<Cost>,
    /// `usage` and `superseded` together; absent where a part is not known.
    pub total_usd: Option<f64>,
    /// What was expected before the run, where it was planned.
    pub estimate: Option<Expected>,
}

/// What a plan expected of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// Tokens of prompts.
    pub input: Ranged<u64>,
    /// Tokens of answers.
    pub output: Ranged<u64>,
    /// Tokens of thoughts.
    pub thinking: Ranged<u64>,
    /// The cost in a batch in USD; absent where it was not known.
    pub batch_usd: Ranged<Option<f64>>,
}

/// The prediction files of the rounds of a run that asked another model than the run itself, with their
/// round.
fn other_models(state: &RunState) -> BTreeMap<String, u32> {
    let asks_another = |round: u32| state.spec_of(round).request.model != state.spec.request.model;
    let attempts = state.shards.iter().flat_map(|shard| &shard.attempts);
    let others = attempts.filter(|attempt| 0 < attempt.round && asks_another(attempt.round));
    let files =
        others.flat_map(|attempt| attempt.collected.iter().flatten().map(|file| (file.path.clone(), attempt.round)));
    files.collect()
}

/// The prediction files of a run whose price is another than that of the run's model.
pub(crate) fn other_prices(state: &RunState) -> Vec<(String, Option<&'static Price>)> {
    let others = other_models(state).into_iter();
    others.map(|(file, round)| (file, price_of(&state.spec_of(round)))).collect()
}

/// The prediction files that were the input of another job, by the service's own resume: it carried their
/// answers over, and bills them once.
fn carried_over(state: &RunState) -> BTreeSet<&str> {
    let before_last = |shard: &'_ Shard| shard.attempts.len().saturating_sub(1);
    let attempts = state.shards.iter().flat_map(|shard| shard.attempts.iter().take(before_last(shard)));
    attempts.flat_map(|attempt| attempt.collected.iter().flatten()).map(|file| &*file.path).collect()
}

/// Tokens, as the rows of a join go by.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// The file with answers from the cache.
    cached_file: Option<String>,
    /// The files of other models, with their round.
    others: BTreeMap<String, u32>,
    answers: u64,
    without_counts: u64,
    /// By the round whose model it was; 0 is the run's own.
    usage: BTreeMap<u32, UsageTotals>,
    cached: UsageTotals,
}

impl Spent {
    pub(crate) fn new(state: &RunState) -> Self {
        let cached_file = state.cached_file().map(str::to_owned);
        Self { cached_file, others: other_models(state), ..Self::default() }
    }

    /// The same, before any row.
    pub(crate) fn anew(&self) -> Self {
        Self { cached_file: self.cached_file.clone(), others: self.others.clone(), ..Self::default() }
    }

    /// What somebody else has counted.
    pub(crate) fn counted(answers: u64, usage: UsageTotals) -> Self {
        Self { answers, usage: BTreeMap::from([(0, usage)]), ..Self::default() }
    }

    fn round_of(&self, file: &str) -> u32 {
        self.others.get(file).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, row: &JoinedRow<'_>) {
        let Some(found) = row.found() else { return };
        let counts = row.usage().counts();
        // An earlier run paid for it, whatever it tells.
        if self.cached_file.as_deref() == Some(found.file) {
            counts.iter().for_each(|counts| self.cached.add_counts(counts));
            return;
        }
        match counts {
            Some(counts) => {
                self.answers += 1;
                self.usage.entry(self.round_of(found.file)).or_default().add_counts(&counts);
            }
            // A request that the service refused is not billed.
            None if row.outcome() == Outcome::RequestError => {}
            None => self.without_counts += 1,
        }
    }
}

impl Spending {
    /// `superseded` is by prediction file.
    pub(crate) fn of(
        spent: &Spent,
        superseded: &BTreeMap<String, UsageTotals>,
        state: &RunState,
        plan: Option<&Plan>,
    ) -> Self {
        let price = price_of(&state.spec);
        let carried = carried_over(state);
        let mut again: BTreeMap<u32, UsageTotals> = BTreeMap::new();
        for (file, totals) in superseded {
            if !carried.contains(&**file) && spent.cached_file.as_ref() != Some(file) {
                *again.entry(spent.round_of(file)).or_default() += *totals;
            }
        }
        let cost_of = |usage: &BTreeMap<u32, UsageTotals>, cost: fn(&Price, &UsageTotals) -> Cost| {
            let own = cost(price?, usage.get(&0).unwrap_or(&UsageTotals::default()));
            let others = usage.iter().filter(|(round, _)| **round != 0);
            let others = others.map(|(round, totals)| match price_of(&state.spec_of(*round)) {
                Some(price) => cost(price, totals),
                None => Cost::default(),
            });
            Some(others.fold(own, sum))
        };
        let (cost, superseded_cost) = (cost_of(&spent.usage, prices::cost), cost_of(&again, prices::cost));
        let all = |usage: &BTreeMap<u32, UsageTotals>| {
            let mut all = UsageTotals::default();
            usage.values().for_each(|totals| all += *totals);
            all
        };
        let total = |cost: Option<Cost>| cost.and_then(|cost| cost.total());
        Self {
            billed: !state.local,
            prices_as_of: price.map(|_| prices::AS_OF.to_owned()),
            answers: spent.answers,
            without_counts: spent.without_counts,
            usage: all(&spent.usage),
            superseded: all(&again),
            cached: spent.cached,
            cost,
            superseded_cost,
            online_cost: cost_of(&spent.usage, prices::online_cost),
            total_usd: total(cost).zip(total(superseded_cost)).map(|(cost, superseded)| cost + superseded),
            estimate: plan.map(|plan| Expected {
                input: plan.estimate.input,
                output: plan.estimate.output,
                thinking: plan.estimate.thinking,
                batch_usd: plan.cost.as_ref().map(|cost| cost.batch.map(Cost::total)).unwrap_or_default(),
            }),
        }
    }
}

/// Two costs together. A part that is not known of one is not known of both.
fn sum(one: Cost, other: Cost) -> Cost {
    let part = |one: Option<f64>, other: Option<f64>| one.zip(other).map(|(one, other)| one + other);
    let mut sum = Cost::default();
    sum.input = part(one.input, other.input);
    sum.cached_input = part(one.cached_input, other.cached_input);
    sum.tool_use = part(one.tool_use, other.tool_use);
    sum.output = part(one.output, other.output);
    sum.thinking = part(one.thinking, other.thinking);
    sum
}

/// USD as people read it: cents, and more digits where it is less than that.
#[must_use]
pub fn usd(amount: f64) -> String {
    match amount {
        0.0 => "0 USD".to_owned(),
        amount if 1.0 <= amount => format!("{amount:.2} USD"),
        amount if 0.01 <= amount => format!("{amount:.3} USD"),
        amount => format!("{amount:.6} USD"),
    }
}

#[cfg(test)]
mod tests {
    use batch_model::prices::UsageCounts;

    use super::*;

    fn estimate(model: &str, low: u64, expected: u64, high: u64) -> Option<CostEstimate> {
        let tokens = Ranged { low, expected, high }.map(|prompt| {
            let mut totals = UsageTotals::default();
            totals.add_counts(&UsageCounts { prompt: *prompt, ..UsageCounts::default() });
            totals
        });
        CostEstimate::of(prices::find(&model.parse().unwrap()), &tokens)
    }

    fn refusal(usd: f64, bound: CostBound, cost: Option<&CostEstimate>) -> Option<String> {
        let checked = MaxCost { usd, bound }.check("gemini-2.5-flash", cost);
        checked.err().map(|error| {
            assert_eq!(error.kind(), Kind::Cost);
            error.to_string()
        })
    }

    #[test]
    fn half_price_in_a_batch() {
        // 100,000 tokens at 0.15 a million in a batch, at 0.3 online.
        let cost = estimate("gemini-2.5-flash", 0, 100_000, 200_000).unwrap();
        assert_eq!(cost.batch.expected.total(), Some(0.015));
        assert_eq!(cost.online.expected.total(), Some(0.03));
        assert_eq!(cost.batch.low.total(), Some(0.0));
        assert_eq!(estimate("gemini-0-abacus", 1, 1, 1), None);
    }

    #[test]
    fn a_ceiling_is_held_against_the_high_estimate_unless_told_otherwise() {
        let cost = estimate("gemini-2.5-flash", 1, 100_000, 200_000);
        assert_eq!(refusal(0.03, CostBound::High, cost.as_ref()), None);
        insta::assert_snapshot!(
            refusal(0.02, CostBound::default(), cost.as_ref()).unwrap(),
            @"it may cost 0.030 USD (high estimate), more than the 0.020 USD allowed"
        );
        assert_eq!(refusal(0.02, CostBound::Expected, cost.as_ref()), None);
        insta::assert_snapshot!(
            refusal(9.0, CostBound::High, None).unwrap(),
            @"the price of gemini-2.5-flash is not known, so that nobody can say whether it is below 9.00 USD"
        );
    }

    #[test]
    fn amounts_in_words() {
        assert_eq!(
            [0.0, 0.000_004, 0.0123, 0.5, 12.345].map(usd),
            ["0 USD", "0.000004 USD", "0.012 USD", "0.500 USD", "12.35 USD",]
        );
    }
}
