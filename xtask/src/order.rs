//! `cargo xtask order`: which functions a start runs, written down as the order in which the linker lays
//! the shipped program.
//!
//! The kernel maps a program 64 KiB around each function that is touched. A build of ten rows touches some
//! 450 functions, and where the linker has strewn them over 22 MB that is most of its memory. Lying together
//! they take as much as they are long.
//!
//! valgrind tells which addresses a few short commands ran, and the linker's map which section, of which
//! crate, lies there. What is kept of a section is its name without what the next compiler or version of a
//! crate changes, so the order serves long after it was written. A function that it does not name
//! costs the 64 KiB around it, and one that is gone nothing.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    bench, dist,
    run::{Result, output, root},
};

/// The order that is committed, below the workspace's root.
pub(crate) const FILE: &str = "xtask/start.ld";

/// All instances of a generic function in one crate have one name. The others may come along with those that
/// ran, unless they have more bytes than it costs to leave one where it is.
const ALONG: u64 = 32 << 10;

/// The committed order.
pub(crate) fn file() -> PathBuf {
    root().join(FILE)
}

pub(crate) fn order(args: &[String]) -> Result {
    if let Some(unknown) = args.first() {
        return Err(format!("order takes no argument, not {unknown:?}").into());
    }
    // A map that was never written to, so that it is that of this program.
    let map_file = dist::map().with_extension(format!("{}.map", std::process::id()));
    let _ = fs::remove_file(&map_file);
    let program = dist::build(&map_file)?;
    let map = fs::read_to_string(&map_file).map_err(|error| format!("the map of the program: {error}"))?;
    let sections = sections(&map);
    if sections.is_empty() {
        return Err(format!("{} names no functions: which linker wrote it?", map_file.display()).into());
    }
    let mut ran = Vec::new();
    let mut known = HashSet::new();
    for command in commands()? {
        for place in places(&sections, &addresses(&program, &command)?) {
            if known.insert(place) {
                ran.push(place);
            }
        }
    }
    if ran.is_empty() {
        return Err(format!("valgrind saw nothing run of {}", program.display()).into());
    }
    let (script, bytes) = script(&sections, &ran);
    fs::write(file(), script)?;
    println!("{FILE}: {} functions, {:.0} kB", ran.len(), bytes as f64 / 1e3);
    Ok(())
}

/// What is run: what is needed most comes first.
fn commands() -> Result<Vec<Vec<String>>> {
    let (table, predictions) = bench::files(10)?;
    let out = table.with_file_name("start.out");
    let config = table.with_file_name("generation_config.json").display().to_string();
    let system = format!("@{}", table.with_file_name("system.txt").display());
    let (table, predictions) = (table.display().to_string(), predictions.display().to_string());
    let out = out.display().to_string();
    let label = "id=n{{ record.index }}";
    let read = ["--input", &*table, "--label", label];
    let answers = ["--predictions", &*predictions, "--max-failed", "10"];
    let request = ["--prompt", "{{ body }}", "--system", &*system, "--generation-config", &*config];
    let all = [
        vec!["--version"],
        [&["build"], &read[..], &request, &["--output", &*out]].concat(),
        [&["join"], &read[..], &answers, &["--output", &*out]].concat(),
        [&["eval"], &read[..], &answers, &["--expected", "category", "--format", "json"]].concat(),
    ];
    Ok(all.map(|words| words.into_iter().map(str::to_owned).collect()).into())
}

/// A piece that the linker places as a whole, mostly one function.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    address: u64,
    length: u64,
    krate: String,
    name: String,
}

/// The sections of code in a map of `lld`, by address, with the crate whose object has them.
///
/// A line has address, load address, length, alignment, and `object:(section)`. Objects of a program that
/// was optimised as a whole are called `PROGRAM-HASH.CRATE-HASH.CRATE.HASH-cgu.0.rcgu.o`.
fn sections(map: &str) -> Vec<Section> {
    let section = |line: &str| {
        let (object, name) = line.strip_suffix(')')?.split_once(":(.text.")?;
        let mut words = object.split_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let length = u64::from_str_radix(words.nth(1)?, 16).ok()?;
        let (before, _) = object.rsplit_once("-cgu.")?;
        let krate = before.rsplit('.').nth(1)?.to_owned();
        Some(Section { address, length, krate, name: format!(".text.{name}") })
    };
    let mut sections: Vec<Section> = map.lines().filter_map(section).collect();
    sections.sort_by_key(|section| section.address);
    sections
}

/// The addresses in the program, as its file has them, that a command ran.
fn addresses(program: &Path, command: &[String]) -> Result<Vec<u64>> {
    let out = dist::map().with_extension("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--compress-strings=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    output(valgrind.arg(program).args(command))?;
    let told = fs::read_to_string(&out)?;
    fs::remove_file(&out)?;
    Ok(addresses_in(&told, &fs::canonicalize(program)?.display().to_string()))
}

/// Those of one object in what callgrind wrote: a line `ob=` says to which the lines below belong.
fn addresses_in(told: &str, program: &str) -> Vec<u64> {
    let mut ours = false;
    let mut addresses = Vec::new();
    for line in told.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            ours = object == program;
        } else if let Some(cost) = line.strip_prefix("0x").filter(|_| ours) {
            let address = cost.split(' ').next().unwrap_or_default();
            addresses.extend(u64::from_str_radix(address, 16));
        }
    }
    addresses
}

/// Which sections the addresses lie in, each once, in the order of the crates' own code.
fn places(sections: &[Section], addresses: &[u64]) -> Vec<usize> {
    let place = |address: &u64| {
        let place = sections.partition_point(|section| section.address <= *address).checked_sub(1)?;
        let section = &sections[place];
        (*address < section.address + section.length).then_some(place)
    };
    let mut places: Vec<usize> = addresses.iter().filter_map(place).collect();
    places.sort_unstable();
    places.dedup();
    // What lies where it lies now is no order: the name of a crate and of a function is.
    places.sort_by(|one, other| key(&sections[*one]).cmp(&key(&sections[*other])));
    places
}

fn key(section: &Section) -> (&str, String) {
    (&section.krate, pattern(&section.name))
}

/// The name of a section with a star for what says nothing but which version was compiled.
fn pattern(name: &str) -> String {
    let name = name.split(".llvm.").next().unwrap_or_default();
    if let Some((function, hash)) = name.rsplit_once("17h") {
        let is_hash =
            hash.len() == 17 && hash.ends_with('E') && hash[..16].bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.contains("._ZN") && is_hash {
            return format!("{function}17h*");
        }
    }
    if !name.contains("._R") {
        return name.to_owned();
    }
    // Each name of a crate has a number before it: `Cs` NUMBER `_`.
    let mut parts = name.split("Cs");
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once('_').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        pattern.push_str("Cs");
        match rest {
            Some((_, rest)) => {
                pattern.push_str("*_");
                pattern.push_str(rest);
            }
            None => pattern.push_str(part),
        }
    }
    pattern + "*"
}

/// The order as the linker reads it, and how many bytes are named in it.
fn script(sections: &[Section], ran: &[usize]) -> (String, u64) {
    let mut lengths: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for section in sections {
        *lengths.entry(key(section)).or_default() += section.length;
    }
    let mut of_what_ran: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for place in ran {
        *of_what_ran.entry(key(&sections[*place])).or_default() += sections[*place].length;
    }
    let (mut functions, mut constants, mut bytes) = (String::new(), String::new(), 0);
    let mut crates = HashSet::new();
    let mut named = HashSet::new();
    for place in ran {
        let key = key(&sections[*place]);
        if crates.insert(key.0) {
            let _ = writeln!(constants, "    *.{}.*(.rodata .rodata.*)", key.0);
        }
        if lengths[&key] - of_what_ran[&key] <= ALONG && named.insert(key.clone()) {
            let _ = writeln!(functions, "    *.{}.*({})", key.0, key.1);
            bytes += lengths[&key];
        }
    }
    let script = format!(
        "/* Written by `cargo xtask order`; do not edit. What a start runs lies together, so that few pages\n   \
         of the program are in memory. Functions that are not named here follow as they come. */\n\
         SECTIONS {{\n  .text : {{\n{functions}    *(.text .text.*)\n  }}\n}}\nINSERT BEFORE .init;\n\n\
         /* And the constants of the crates whose functions those are. */\n\
         SECTIONS {{\n  .rodata : {{\n{constants}    *(.rodata .rodata.*)\n  }}\n}}\n\
         INSERT BEFORE .gcc_except_table;\n"
    );
    (script, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
             VMA              LMA     Size Align Out     In      Symbol
            1000             1000       20     4 .text
            1000             1000       10     4         /t/deps/p-01.a_b-02.a_b.03-cgu.0.rcgu.o.rcgu.o:(.text._ZN3a_b3one17h0123456789abcdefE)
            1000             1000       10     1                 a_b::one
            1010             1010        8     4         /t/deps/p-01.p.04-cgu.0.rcgu.o:(.text.unlikely._ZN3a_b3one17hfedcba9876543210E)
            1018             1018        8     4         /usr/lib/Scrt1.o:(.text)
";

    #[test]
    fn a_map_tells_which_crate_has_what_lies_at_an_address() {
        let sections = sections(MAP);
        let seen: Vec<_> = sections.iter().map(|it| (it.address, it.length, &*it.krate, &*it.name)).collect();
        assert_eq!(
            seen,
            [
                (0x1000, 0x10, "a_b", ".text._ZN3a_b3one17h0123456789abcdefE"),
                (0x1010, 8, "p", ".text.unlikely._ZN3a_b3one17hfedcba9876543210E"),
            ]
        );
        let told = "ob=/lib/c\n0x1000 1 1\nob=/t/p\nfn=one\n0x1011 0 3\n0x1012 0 3\ncalls=1 0x1004 0\n0x1018 0 3\n";
        let addresses = addresses_in(told, "/t/p");
        assert_eq!(addresses, [0x1011, 0x1012, 0x1018]);
        assert_eq!(places(&sections, &addresses), [1]);
    }

    #[test]
    fn a_name_is_kept_without_what_another_version_changes() {
        assert_eq!(pattern(".text._ZN3a_b3one17h0123456789abcdefE"), ".text._ZN3a_b3one17h*");
        assert_eq!(pattern(".text.unlikely._ZN1a17h0123456789abcdefE.llvm.123"), ".text.unlikely._ZN1a17h*");
        assert_eq!(
            pattern(".text._RNvMs_NtCsjrHSEGnQ3l9_3std2fsNtCsgE_4core1x.llvm.5"),
            ".text._RNvMs_NtCs*_3std2fsNtCs*_4core1x*"
        );
        assert_eq!(pattern(".text.main"), ".text.main");
    }

    #[test]
    fn instances_that_are_too_long_do_not_come_along() {
        let section = |address, length, name: &str| Section {
            address,
            length,
            krate: "a".to_owned(),
            name: format!(".text._ZN{name}E"),
        };
        let sections = [
            section(0, 8, "3one17h0123456789abcdef"),
            section(8, ALONG, "3one17h1123456789abcdef"),
            section(8 + ALONG, 8, "3two17h0123456789abcdef"),
            section(16 + ALONG, ALONG + 1, "3two17h1123456789abcdef"),
        ];
        let (script, bytes) = script(&sections, &[0, 2]);
        assert!(script.contains("    *.a.*(.text._ZN3one17h*)\n"), "{script}");
        assert!(!script.contains("3two"), "{script}");
        assert_eq!(script.matches("*.a.*(.rodata .rodata.*)").count(), 1);
        assert_eq!(bytes, 8 + ALONG);
    }
}
