//! What a run will cost, and what it has cost: tokens at the prices of a dated list.

use batch_model::prices::{self, Cost, Price, UsageTotals};
use serde::{Deserialize, Serialize};

use crate::{Error, Kind, Ranged, Result, Spec};

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
            _ => "take fewer records with --limit, a cheaper model, or a higher --max-cost",
        };
        refused(format!("it may cost {} ({which} estimate), more than the {} allowed", usd(total), usd(self.usd)), hint)
    }
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
