//! What is measured on: news-like rows and the predictions that a batch job would give back for them.
//!
//! Every row is a pure function of the seed and its number, so that a thousand rows are the first of a
//! million, and what an output must say can be told without keeping it.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::random::Random;
use crate::run::Result;

const SEED: u64 = 20_261_121;

pub(super) const CATEGORIES: [&str; 5] = ["sport", "entertainment", "tech", "business", "politics"];

/// The system instruction, the same in every request.
pub(super) const SYSTEM: &str = "\n次の本文がどの分類に当たるかを答えよ。\n\
    [\"sport\", \"entertainment\", \"tech\", \"business\", \"politics\"]\n\n\
    答えは上の語の一つだけとし、説明は付けないこと。\n";

/// The `generationConfig` of every request.
pub(super) fn generation_config() -> Value {
    json!({
        "temperature": 0, "seed": 0, "responseMimeType": "application/json",
        "responseSchema": { "type": "string", "enum": CATEGORIES },
    })
}

const COMMON: &str = "the of to and a in is that for it on was with as by at from this be are have has had \
    will would their his her its they which who new also but after been more than last first two year over \
    could about when there were against up out time people many while before between under however";

const TOPICS: [&str; 5] = [
    "match goal season coach final champion league injury squad referee penalty stadium tournament rugby tennis",
    "film album award actor singer festival premiere director concert orchestra novel television comedy theatre",
    "software network users security console download wireless computer chip browser search data phone update",
    "profit market shares bank economy deal exports oil inflation quarter investors merger rates company growth",
    "minister election party vote government parliament budget tax asylum council campaign policy debate bill",
];

const NAMES: [&str; 8] = [
    "Anna Müller",
    "José Álvarez",
    "Zoë Karlsson",
    "Søren Dahl",
    "Łukasz Nowak",
    "Mary Smith",
    "François Petit",
    "Tom Brown",
];

const ODDITIES: [&str; 8] = [
    "£12m ($23.1bn; €7bn)",
    "“quoted” – as a spokesman’s phrase",
    "São Paulo’s café",
    "naïve façade",
    "10 °C ± 2",
    "東京市場で株価が上昇",
    "Москва",
    "…",
];

const EMOJI: [&str; 6] = ["😀", "🔥🔥", "⚽", "👨‍👩‍👧‍👦", "🇬🇧", "🏉👏🏽"];

const FAILURES: [&str; 3] = [
    r#"Bad Request: {"error": {"code": 400, "message": "Please use a valid role: user, model.", "status": "INVALID_ARGUMENT"}}"#,
    r#"Internal error occurred. Failed to generateContent, please retry: {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}}"#,
    r#"Resource exhausted: {"error": {"code": 429, "message": "Resource exhausted. Please try again later.", "status": "RESOURCE_EXHAUSTED"}}"#,
];

/// One row, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) body: String,
    pub(super) category: &'static str,
    pub(super) id: String,
    pub(super) outcome: Outcome,
}

/// What the job made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered {
        answer: &'static str,
        prompt_tokens: u64,
    },
    Blocked {
        prompt_tokens: u64,
    },
    /// By the number of the failure, and whether the line has a response, an empty one.
    Failed {
        failure: usize,
        has_response: bool,
    },
}

/// Tokens of an answer, which is always one word.
pub(super) const ANSWER_TOKENS: u64 = 3;

impl Outcome {
    /// The answer, or nothing.
    pub(super) fn answer(self) -> &'static str {
        match self {
            Self::Answered { answer, .. } => answer,
            _ => "",
        }
    }

    /// Tokens of the prompt, of the answer and in all; 0 where there are none.
    pub(super) fn tokens(self) -> [u64; 3] {
        match self {
            Self::Answered { prompt_tokens, .. } => [prompt_tokens, ANSWER_TOKENS, prompt_tokens + ANSWER_TOKENS],
            Self::Blocked { prompt_tokens } => [prompt_tokens, 0, prompt_tokens],
            Self::Failed { .. } => [0; 3],
        }
    }
}

/// The sentences that bodies are put together of, and with that every row there is.
#[derive(Debug)]
pub(super) struct World {
    /// Of each category, and Japanese ones behind.
    sentences: Vec<Vec<String>>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut random = Random::new(SEED, u64::MAX);
        let common: Vec<&str> = COMMON.split_whitespace().collect();
        let mut sentences: Vec<Vec<String>> = TOPICS
            .iter()
            .map(|words| words.split_whitespace().collect::<Vec<_>>())
            .map(|topic| (0..3000).map(|_| sentence(&mut random, &topic, &common)).collect())
            .collect();
        let characters: Vec<char> = "経済市場選手試合政府新技術映画音楽発表予測利用者会社、".chars().collect();
        let japanese = |_| {
            let length = 30 + random.below(60);
            (0..length).map(|_| *random.pick(&characters)).chain(['。']).collect()
        };
        sentences.push((0..300).map(japanese).collect());
        Self { sentences }
    }

    pub(super) fn row(&self, number: u64) -> Row {
        let mut random = Random::new(SEED, number);
        let class = random.below(CATEGORIES.len());
        // 1 to 5 kB, 2.4 kB on average.
        let mut length = 1000 + (4000.0 * random.part().powf(1.8)) as usize;
        let mut pool = &self.sentences[class];
        if number % 211 == 17 {
            (pool, length) = (&self.sentences[CATEGORIES.len()], length * 2 / 3);
        }
        let mut body = String::with_capacity(length + 400);
        body.push_str(random.pick(pool).trim_end_matches('.'));
        body.push_str("\n\n");
        for count in 1.. {
            body.push_str(random.pick(pool).as_str());
            if length <= body.len() {
                break;
            }
            body.push_str(if count % 2 == 0 { "\n\n" } else { " " });
        }
        body.push('\n');
        self.decorate(number, &mut body);
        let id = format!("news-{number:08}");
        let outcome = outcome(&mut random, CATEGORIES[class], body.len());
        Row { body, category: CATEGORIES[class], id, outcome }
    }

    /// What few rows have, and trips over.
    fn decorate(&self, number: u64, body: &mut String) {
        if number % 997 == 5 {
            body.insert_str(body.find('\n').unwrap_or(0), " C:\\Windows\\drivers\t\"etc\\hosts\"\t");
        }
        if number % 1499 == 7 {
            body.insert_str(body.find('\n').unwrap_or(0), "\u{2028}\u{a0}\u{7}bell\u{1}\u{200b}");
        }
        if number % 1999 == 11 {
            *body = body.replace('\n', "\r\n");
        }
        if number % 733 == 13 {
            body.insert_str(0, "😀 👨‍👩‍👧‍👦 𝔘𝔫𝔦 ");
        }
        if number % 5003 == 19 {
            body.insert_str(0, "</script>&<b>'x'</b> ");
        }
    }
}

fn sentence(random: &mut Random, topic: &[&'static str], common: &[&'static str]) -> String {
    let length = 9 + random.below(18);
    let mut words = Vec::with_capacity(length);
    for _ in 0..length {
        let pool = if random.part() < 0.34 { topic } else { common };
        words.push((*random.pick(pool)).to_owned());
    }
    if let Some(first) = words.first_mut() {
        first[..1].make_ascii_uppercase();
    }
    let somewhere = random.below(words.len());
    match random.below(10) {
        0 | 1 => words[somewhere].push(','),
        2 => words[somewhere] = format!("{}", 2 + random.below(99_998)),
        3 => words[somewhere] = (*random.pick(&ODDITIES)).to_owned(),
        _ => {}
    }
    let words = words.join(" ");
    let mut text = match random.below(5) {
        0 => format!("\"{words},\" said {}.", random.pick(&NAMES)),
        _ => words + ".",
    };
    if random.part() < 0.004 {
        text.push(' ');
        text.push_str(EMOJI[random.below(EMOJI.len())]);
    }
    text
}

/// 1 % failed, 0.2 % blocked, and of the answers a few are wrong.
fn outcome(random: &mut Random, category: &'static str, length: usize) -> Outcome {
    let prompt_tokens = length as u64 * 10 / 43 + 61;
    match random.part() {
        part if part < 0.010 => {
            Outcome::Failed { failure: random.below(FAILURES.len()), has_response: random.part() < 0.7 }
        }
        part if part < 0.012 => Outcome::Blocked { prompt_tokens },
        _ => {
            let answer = if random.part() < 0.955 { category } else { random.pick(&CATEGORIES) };
            Outcome::Answered { answer, prompt_tokens }
        }
    }
}

/// A prediction line as the service wrote them when labels were all that came back, line feed included.
fn prediction(row: &Row, number: u64, place: u64, out: &mut Vec<u8>) -> Result {
    let config = r#"{"responseMimeType":"application/json","responseSchema":{"enum":["sport","entertainment","tech","business","politics"],"type":"string"},"seed":0,"temperature":0}"#;
    let (minute, second, milli) = (place / 60_000 % 60, place / 1000 % 60, place % 1000);
    let time = format!("2026-03-19T09:{minute:02}:{second:02}.{milli:03}");
    let mut random = Random::new(SEED ^ 1, number);
    let status = match row.outcome {
        Outcome::Failed { failure, .. } => FAILURES[failure],
        _ => "",
    };
    write!(out, "{{\"status\":")?;
    serde_json::to_writer(&mut *out, status)?;
    write!(out, ",\"processed_time\":\"{time}+00:00\",\"request\":{{\"contents\":[{{\"parts\":[{{\"text\":")?;
    serde_json::to_writer(&mut *out, &row.body)?;
    write!(out, "}}],\"role\":\"user\"}}],\"generationConfig\":{config},\"labels\":{{\"id\":\"n{number}\"}},")?;
    write!(out, "\"systemInstruction\":{{\"parts\":[{{\"text\":")?;
    serde_json::to_writer(&mut *out, SYSTEM)?;
    write!(out, "}}]}}}}")?;
    let counts = |name: &str, tokens: u64| {
        format!(
            "\"{name}TokenCount\":{tokens},\"{name}TokensDetails\":[{{\"modality\":\"TEXT\",\"tokenCount\":{tokens}}}]"
        )
    };
    let (candidate, usage) = match row.outcome {
        Outcome::Failed { has_response, .. } => {
            writeln!(out, "{}}}", if has_response { ",\"response\":{}" } else { "" })?;
            return Ok(());
        }
        Outcome::Blocked { prompt_tokens } => {
            (r#"{"finishReason":"SAFETY"}"#.to_owned(), counts("prompt", prompt_tokens))
        }
        Outcome::Answered { answer, prompt_tokens } => {
            let logprobs = if random.part() < 0.5 { -2.0009465515613556e-6 } else { -random.part() / 3.0 };
            let candidate = format!(
                "{{\"avgLogprobs\":{logprobs:?},\"content\":{{\"parts\":[{{\"text\":\"\\\"{answer}\\\"\"}}],\
                 \"role\":\"model\"}},\"finishReason\":\"STOP\"}}"
            );
            (candidate, format!("{},{}", counts("candidates", ANSWER_TOKENS), counts("prompt", prompt_tokens)))
        }
    };
    let [_, _, total] = row.outcome.tokens();
    let id = format!("{:016x}{:06x}", random.next(), random.below(1 << 24));
    writeln!(
        out,
        ",\"response\":{{\"candidates\":[{candidate}],\"createTime\":\"{time}512Z\",\
         \"modelVersion\":\"gemini-2.0-flash-001@default\",\"responseId\":\"{id}\",\
         \"usageMetadata\":{{{usage},\"totalTokenCount\":{total}}}}}}}"
    )?;
    Ok(())
}

/// The files of so many rows.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) rows: u64,
    pub(super) folder: PathBuf,
}

impl Data {
    pub(super) fn table(&self) -> PathBuf {
        self.folder.join("input.csv")
    }

    pub(super) fn predictions(&self) -> PathBuf {
        self.folder.join("predictions.jsonl")
    }

    pub(super) fn system(&self) -> PathBuf {
        self.folder.join("system.txt")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("generation_config.json")
    }

    /// Makes the files unless they are there, below a folder that is to hold those of all sizes.
    pub(super) fn make(world: &World, rows: u64, below: &Path) -> Result<Self> {
        let data = Self { rows, folder: below.join(rows.to_string()) };
        let stamp = data.folder.join("made-of.txt");
        // Whoever changes what is made, makes it anew.
        let wanted = format!("{SEED} {:016x}\n", fingerprint(world));
        if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            return Ok(data);
        }
        fs::create_dir_all(&data.folder)?;
        println!("making {rows} rows in {}", data.folder.display());
        let mut table = csv::Writer::from_path(data.table())?;
        table.write_record(["body", "category", "id"])?;
        for number in 0..rows {
            let row = world.row(number);
            table.write_record([&row.body, row.category, &row.id])?;
        }
        table.flush()?;
        let mut order: Vec<u64> = (0..rows).collect();
        Random::new(SEED, rows ^ (1 << 60)).shuffle(&mut order);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(data.predictions())?);
        let mut line = Vec::new();
        for (place, number) in order.into_iter().enumerate() {
            line.clear();
            prediction(&world.row(number), number, place as u64 * 3, &mut line)?;
            out.write_all(&line)?;
        }
        out.flush()?;
        fs::write(data.system(), SYSTEM)?;
        fs::write(data.config(), generation_config().to_string())?;
        fs::write(stamp, wanted)?;
        Ok(data)
    }
}

/// Of a few rows and their predictions: whoever changes the generator changes this.
fn fingerprint(world: &World) -> u64 {
    let mut bytes = format!("{SYSTEM}{}", generation_config()).into_bytes();
    for number in 0..300 {
        // Writing to memory does not fail.
        let _ = prediction(&world.row(number), number, number, &mut bytes);
    }
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_the_goals_are_about() {
        let world = World::new();
        let rows: Vec<Row> = (0..2100).map(|number| world.row(number)).collect();
        let mean = rows.iter().map(|row| row.body.len()).sum::<usize>() / rows.len();
        assert!((2200..2900).contains(&mean), "{mean}");
        let quotes = rows.iter().map(|row| row.body.matches('"').count()).sum::<usize>() / rows.len();
        assert!((7..13).contains(&quotes), "{quotes}");
        let lines = rows.iter().map(|row| row.body.matches('\n').count()).sum::<usize>() / rows.len();
        assert!((15..30).contains(&lines), "{lines}");
        assert!(rows.iter().any(|row| row.body.contains("\r\n")));
        let failed = rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed { .. })).count();
        assert!((10..40).contains(&failed), "{failed}");
    }

    #[test]
    fn prediction_lines_are_json_that_says_what_the_row_says() {
        let world = World::new();
        for number in 0..3000 {
            let row = world.row(number);
            let mut line = Vec::new();
            prediction(&row, number, number, &mut line).unwrap();
            let line: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(line["request"]["contents"][0]["parts"][0]["text"], row.body);
            assert_eq!(line["request"]["generationConfig"], generation_config());
            let total = line["response"]["usageMetadata"]["totalTokenCount"].as_u64().unwrap_or_default();
            assert_eq!(total, row.outcome.tokens()[2]);
        }
    }
}
