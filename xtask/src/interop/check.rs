//! What a client's program tells: one line for each thing it looked at.

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// Why it is wrong, if it is.
    pub(crate) wrong: Option<String>,
}

impl Check {
    pub(crate) fn failed(name: &str, why: String) -> Self {
        Self { name: name.to_owned(), wrong: Some(why) }
    }

    /// Reads `PASS name` and `FAIL name | why`, as the scripts of `fixtures/interop/` print them, and
    /// `test name ... ok`, as Rust's test programs do.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        if let Some(name) = line.strip_prefix("PASS ") {
            return Some(Self { name: name.to_owned(), wrong: None });
        }
        if let Some(rest) = line.strip_prefix("FAIL ") {
            let (name, why) = rest.split_once(" | ").unwrap_or((rest, "no reason given"));
            return Some(Self::failed(name, why.to_owned()));
        }
        let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
        match result {
            "ok" => Some(Self { name: name.to_owned(), wrong: None }),
            "FAILED" => Some(Self::failed(name, "its panic is in the log".to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Check;

    #[test]
    fn lines_of_scripts_and_of_tests() {
        let pass = |name: &str| Some(Check { name: name.to_owned(), wrong: None });
        assert_eq!(Check::parse("PASS list: pages"), pass("list: pages"));
        assert_eq!(Check::parse("test servers::lists ... ok"), pass("servers::lists"));
        let fail = Some(Check::failed("get: deleted", "404: not found".to_owned()));
        assert_eq!(Check::parse("FAIL get: deleted | 404: not found"), fail);
        let failed = Check::parse("test servers::lists ... FAILED").and_then(|check| check.wrong);
        assert!(failed.is_some());
        for other in ["test servers::lists ... ignored", "running 3 tests", "PASSED", ""] {
            assert_eq!(Check::parse(other), None, "{other:?}");
        }
    }
}
