//! The hot loops of batch-io as a program of their own, for `cargo xtask icount` to count the instructions of:
//! `hot build TABLE PREDICTIONS`, `hot join TABLE PREDICTIONS` and `hot join-jsonl TABLE PREDICTIONS`, each
//! on one thread and with the output thrown away; `hot join-objects TABLE PREDICTIONS` is a join too;
//! `hot features` tells what the processor can do.

use std::error::Error;
use std::fs::File;
use std::io;
use std::num::NonZero;

use batch_io::{Build, Join, KeySpec, RequestSpec, RequestTemplate, Table, TableFormat};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["features"] => features(),
        ["build", table, _] => requests(table)?,
        ["join" | "join-objects", table, predictions] => results(table, predictions, TableFormat::CSV)?,
        ["join-jsonl", table, predictions] => results(table, predictions, TableFormat::Jsonl)?,
        _ => return Err("hot build|join|join-jsonl TABLE PREDICTIONS, or hot features".into()),
    }
    Ok(())
}

const LABEL: &str = "n{{ record.index }}";

fn requests(table: &str) -> Result<(), Box<dyn Error>> {
    let table = Table::new(File::open(table)?, table, TableFormat::CSV)?;
    let mut spec = RequestSpec::new("{{ body }}");
    spec.system = Some("Answer with one word: sport, entertainment, tech, business or politics.".into());
    spec.labels.push(("id".into(), LABEL.into()));
    let template = RequestTemplate::compile(&spec, table.columns())?;
    Build::new(&template, &KeySpec::Index).threads(NonZero::<usize>::MIN).write(table, io::sink())?;
    Ok(())
}

fn results(table: &str, predictions: &str, output: TableFormat) -> Result<(), Box<dyn Error>> {
    let join = Join::from_path(table, TableFormat::CSV, [predictions]);
    let join = join.label("id", LABEL).output(output).threads(NonZero::<usize>::MIN);
    join.run(&mut io::sink(), &mut |_| {})?;
    Ok(())
}

/// Which of the code that is chosen at run time can be chosen here.
#[expect(clippy::print_stdout, reason = "a program's output")]
fn features() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut names = vec!["x86_64"];
        names.extend(is_x86_feature_detected!("sse4.2").then_some("sse4.2"));
        names.extend(is_x86_feature_detected!("avx2").then_some("avx2"));
        names.extend(is_x86_feature_detected!("avx512bw").then_some("avx512bw"));
        println!("{}", names.join(" "));
    }
    #[cfg(not(target_arch = "x86_64"))]
    println!("{}", std::env::consts::ARCH);
}
