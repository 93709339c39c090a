//! The dated lists of models and prices.

use batch_model::{
    Location, UsageMetadata,
    models::{self, Stage, Thinking},
    prices::{self, UsageTotals},
};
use serde_json::{Value, json};

fn usage(value: Value) -> UsageMetadata {
    serde_json::from_value(value).unwrap()
}

fn totals(values: impl IntoIterator<Item = Value>) -> UsageTotals {
    let mut totals = UsageTotals::default();
    for value in values {
        totals.add(&usage(value));
    }
    totals
}

fn price(model: &str) -> &'static prices::Price {
    prices::find(&model.parse().unwrap()).unwrap()
}

#[test]
fn the_files_are_of_the_day_that_the_constants_say() {
    let models: Value = serde_json::from_str(include_str!("../../data/models.json")).unwrap();
    let prices: Value = serde_json::from_str(include_str!("../../data/prices.json")).unwrap();
    assert_eq!((models["as_of"].as_str(), prices["as_of"].as_str()), (Some(models::AS_OF), Some(prices::AS_OF)));
    assert_eq!(prices["currency"], "USD");
}

#[test]
fn models_are_listed_once_and_days_are_days() {
    for (i, info) in models::all().iter().enumerate() {
        assert!(models::all()[..i].iter().all(|other| other.id != info.id), "{} twice", info.id);
        for day in [&info.retired, &info.retires_not_before].into_iter().flatten() {
            let digits: Vec<usize> = day.split('-').map(str::len).collect();
            assert_eq!(digits, [4, 2, 2], "{}: {day}", info.id);
        }
        assert_eq!(info.is_retired(models::AS_OF) == Some(true), info.stage == Some(Stage::Retired), "{}", info.id);
        for location in info.locations.iter().flatten().chain(&info.not_in) {
            location.parse::<Location>().unwrap();
        }
        assert_eq!(
            info.locations.as_ref().is_none_or(|all| all.iter().any(|l| l == "global")),
            info.global != Some(false)
        );
    }
}

#[test]
fn a_model_is_found_by_each_of_its_names() {
    let id = |name: &str| models::find(&name.parse().unwrap()).map(|info| info.id.as_str());
    assert_eq!(id("gemini-2.5-flash"), Some("gemini-2.5-flash"));
    assert_eq!(id("publishers/google/models/gemini-2.5-flash@default"), Some("gemini-2.5-flash"));
    assert_eq!(id("projects/p/locations/l/publishers/google/models/gemini-2.5-flash"), Some("gemini-2.5-flash"));
    assert_eq!(id("gemini-2.0-flash-001"), Some("gemini-2.0-flash"));
    // The number belongs to its name.
    assert_eq!(id("gemini-embedding-001"), Some("gemini-embedding-001"));
    assert_eq!(id("text-embedding-005"), Some("text-embedding-005"));
    assert_eq!(id("anthropic/gemini-2.5-flash"), None);
    assert_eq!(id("projects/p/locations/l/models/7"), None);
}

#[test]
fn what_is_known_of_a_model() {
    let info = |name: &str| models::find(&name.parse().unwrap()).unwrap();
    let served = |name: &str, location: &str| info(name).served_in(&location.parse().unwrap());
    assert_eq!(served("gemini-3.5-flash-lite", "us-central1"), Some(false));
    assert_eq!(served("gemini-3.5-flash-lite", "global"), Some(true));
    assert_eq!(served("gemini-3.5-flash-lite", "europe-west4"), None);
    assert_eq!(served("gemini-embedding-001", "asia-east1"), Some(false));
    assert_eq!(served("gemini-embedding-001", "global"), Some(false));
    assert_eq!(info("gemini-2.0-flash").is_retired("2026-05-31"), Some(false));
    assert_eq!(info("gemini-2.0-flash").is_retired("2026-06-01"), Some(true));
    assert_eq!(info("gemini-2.5-flash").is_retired("2026-10-15"), Some(false));
    assert_eq!(info("gemini-2.5-flash").is_retired("2026-11-21"), None);
    assert_eq!(info("gemini-2.5-flash").thinking, Some(Thinking::Budget));
    assert_eq!(info("gemini-3.8-flash").thinking, Some(Thinking::Level));
    assert_eq!(info("gemini-4-argon").batch, None);
}

#[test]
fn every_priced_model_is_a_known_one_and_a_batch_is_never_dearer() {
    for price in prices::all() {
        assert!(models::all().iter().any(|info| info.id == price.model), "{}", price.model);
        for rates in [Some(price.base), price.long].into_iter().flatten() {
            for (one, batch) in [
                (rates.input, rates.batch_input),
                (rates.output, rates.batch_output),
                (rates.audio_input, rates.batch_audio_input),
            ] {
                assert_eq!(one.is_some(), batch.is_some(), "{}", price.model);
                assert!(batch <= one && one != Some(0.0), "{}", price.model);
                if !price.model.contains("embedding") {
                    assert_eq!(one.map(|rate| rate / 2.0), batch, "{}: a batch costs half", price.model);
                }
            }
        }
    }
}

#[test]
fn thoughts_are_output_and_the_discounts_do_not_stack() {
    let million = totals([json!({
        "promptTokenCount": 150_000, "cachedContentTokenCount": 100_000, "candidatesTokenCount": 10_000, "thoughtsTokenCount": 90_000
    })]);
    let cost = prices::cost(price("gemini-2.5-flash"), &million);
    // 50,000 at 0.15, 100,000 out of the cache at 0.03 and not at 0.015, 100,000 at 1.25.
    assert_close(cost.input, 0.0075);
    assert_close(cost.cached_input, 0.003);
    assert_close(cost.output, 0.0125);
    assert_close(cost.thinking, 0.1125);
    assert_close(cost.total(), 0.1355);
    // One at a time: twice that, but for what the cache gave.
    let online = prices::online_cost(price("gemini-2.5-flash"), &million);
    assert_close(online.cached_input, 0.003);
    assert_close(online.total(), 0.015 + 0.003 + 0.25);
}

#[test]
fn a_long_prompt_costs_more_by_its_own_length_and_not_by_the_sum() {
    let short = json!({"promptTokenCount": 200_000, "candidatesTokenCount": 1000});
    let long = json!({"promptTokenCount": 200_001, "candidatesTokenCount": 1000});
    let many = totals([short.clone(), short]);
    assert_eq!((many.base.input, many.long.input), (400_000, 0));
    assert_close(prices::cost(price("gemini-2.5-pro"), &many).total(), 0.4 * 0.625 + 0.002 * 5.0);
    let one = totals([long.clone()]);
    assert_close(prices::cost(price("gemini-2.5-pro"), &one).total(), 0.200_001 * 1.25 + 0.001 * 7.5);
    // A model without a second price has one price.
    assert_close(prices::cost(price("gemini-2.5-flash-lite"), &totals([long])).total(), 0.200_001 * 0.05 + 0.001 * 0.2);
}

#[test]
fn sound_has_its_own_price() {
    let heard = totals([json!({
        "promptTokenCount": 3000, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2000}, {"modality": "TEXT", "tokenCount": 1000}],
    })]);
    assert_eq!((heard.base.input, heard.base.audio_input), (1000, 2000));
    assert_close(prices::cost(price("gemini-2.5-flash"), &heard).total(), 0.001 * 0.15 + 0.002 * 0.5);
}

/// An unknown price is unknown, never 0; what is known is said all the same.
#[test]
fn what_has_no_known_price_has_no_cost() {
    let heard = totals([
        json!({"promptTokenCount": 2000, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2000}], "candidatesTokenCount": 1000}),
    ]);
    let cost = prices::cost(price("gemini-3.8-flash"), &heard);
    assert_eq!((cost.input, cost.total()), (None, None));
    assert!((cost.at_least() - 0.001_875).abs() < 1e-12);

    let painted = totals([
        json!({"candidatesTokenCount": 1290, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]}),
    ]);
    assert_eq!(prices::cost(price("gemini-3-pro-image"), &painted).output, None);
    let searched = totals([json!({"promptTokenCount": 1, "toolUsePromptTokenCount": 41})]);
    assert_eq!(prices::cost(price("gemini-2.5-flash"), &searched).total(), None);
    let cached = totals([json!({"promptTokenCount": 300_000, "cachedContentTokenCount": 300_000})]);
    assert_eq!(prices::cost(price("gemini-2.5-pro"), &cached).cached_input, None);

    assert_eq!(prices::find(&"gemini-0-abacus".parse().unwrap()), None);
    assert_close(prices::cost(price("gemini-3.8-flash"), &UsageTotals::default()).total(), 0.0);
}

#[test]
fn totals_add_up_in_any_grouping() {
    let values = [
        json!({"promptTokenCount": 10, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4}),
        json!({"promptTokenCount": 300_000}),
        json!({}),
        json!({"promptTokenCount": -5, "candidatesTokenCount": 1}),
    ];
    let all = totals(values.clone());
    let mut halves = totals(values[..2].iter().cloned());
    halves += totals(values[2..].iter().cloned());
    assert_eq!(all, halves);
    insta::assert_debug_snapshot!(all);
}

#[track_caller]
fn assert_close(got: Option<f64>, wanted: f64) {
    assert!(got.is_some_and(|got| (got - wanted).abs() < 1e-12), "{got:?} is not {wanted}");
}

#[test]
fn counts_that_cannot_be_do_not_wrap_around() {
    let most = json!(i64::MAX);
    let usage = json!({ "promptTokenCount": most, "candidatesTokenCount": most, "thoughtsTokenCount": most });
    let all = totals([usage.clone(), usage.clone(), usage]).all();
    assert_eq!((all.prompts(), all.answers()), (u64::MAX, u64::MAX));
}
