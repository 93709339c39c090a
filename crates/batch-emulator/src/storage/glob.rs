//! The patterns of `matchGlob`.

/// `*` and `?` match within a segment, `**` across segments, `[abc]`, `[a-z]` and `[!abc]`
/// one character, `{ab,cd}` either; a backslash takes the next character as it is.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Vec<Token>>);

#[derive(Clone, Debug)]
enum Token {
    One(char),
    AnyOne,
    Any,
    AnyAcross,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Glob {
        let characters: Vec<char> = pattern.chars().collect();
        Glob(expand(&characters).iter().map(|alternative| tokens(alternative)).collect())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|tokens| matches(tokens, &name))
    }
}

/// One pattern for each choice of alternatives. A brace that is not closed is itself.
fn expand(pattern: &[char]) -> Vec<Vec<char>> {
    let Some((open, close, commas)) = first_braces(pattern) else {
        return vec![pattern.to_vec()];
    };
    let mut bounds = vec![open];
    bounds.extend(commas);
    bounds.push(close);
    bounds
        .windows(2)
        .flat_map(|bound| {
            let choice = &pattern[bound[0] + 1..bound[1]];
            expand(&[&pattern[..open], choice, &pattern[close + 1..]].concat())
        })
        .collect()
}

/// The places of the first pair of braces and of the commas between its alternatives.
fn first_braces(pattern: &[char]) -> Option<(usize, usize, Vec<usize>)> {
    let (mut depth, mut open, mut commas) = (0, 0, Vec::new());
    let mut escaped = false;
    for (at, character) in pattern.iter().enumerate() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match character {
            '\\' => escaped = true,
            '{' => {
                if depth == 0 {
                    open = at;
                }
                depth += 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some((open, at, commas));
                }
            }
            ',' if depth == 1 => commas.push(at),
            _ => {}
        }
    }
    None
}

fn tokens(pattern: &[char]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(character) = pattern.get(at) {
        at += 1;
        tokens.push(match character {
            '?' => Token::AnyOne,
            '*' if pattern.get(at) == Some(&'*') => {
                at += 1;
                Token::AnyAcross
            }
            '*' => Token::Any,
            '[' => match class(&pattern[at..]) {
                Some((class, length)) => {
                    at += length;
                    class
                }
                None => Token::One('['),
            },
            '\\' => {
                let escaped = pattern.get(at).copied();
                at += 1;
                Token::One(escaped.unwrap_or('\\'))
            }
            character => Token::One(*character),
        });
    }
    tokens
}

/// The class after an opening bracket, and its length with the closing one.
fn class(pattern: &[char]) -> Option<(Token, usize)> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let start = usize::from(negated);
    // A bracket right at the start is a member.
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|c| *c == ']')?;
    let mut members = &pattern[start..end];
    let mut ranges = Vec::new();
    loop {
        match members {
            [] => break,
            [first, '-', last, rest @ ..] => {
                ranges.push((*first, *last));
                members = rest;
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                members = rest;
            }
        }
    }
    Some((Token::Class { negated, ranges }, end + 1))
}

fn matches(tokens: &[Token], name: &[char]) -> bool {
    let Some((token, rest)) = tokens.split_first() else {
        return name.is_empty();
    };
    let one = |fits: &dyn Fn(char) -> bool| match name.split_first() {
        Some((first, name)) => fits(*first) && matches(rest, name),
        None => false,
    };
    match token {
        Token::One(expected) => one(&|c| c == *expected),
        Token::AnyOne => one(&|c| c != '/'),
        Token::Class { negated, ranges } => one(&|c| ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *negated),
        Token::Any => {
            let longest = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=longest).any(|n| matches(rest, &name[n..]))
        }
        Token::AnyAcross => {
            // `**/` may stand for no segment at all.
            let none = matches!(rest.first(), Some(Token::One('/'))) && matches(&rest[1..], name);
            none || (0..=name.len()).any(|n| matches(rest, &name[n..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, yes, no) in [
            ("a*.jsonl", vec!["a.jsonl", "ab.jsonl"], vec!["a/b.jsonl", "b.jsonl"]),
            ("**.jsonl", vec!["a.jsonl", "x/y/a.jsonl"], vec!["a.json"]),
            ("**/b", vec!["b", "a/b", "x/a/b"], vec!["ab"]),
            ("a?c", vec!["abc", "a語c"], vec!["a/c", "ac"]),
            ("[a-c!]x", vec!["bx", "!x"], vec!["dx", "x"]),
            ("[!a]x", vec!["bx"], vec!["ax"]),
            ("{in,out/{1,2}}.x", vec!["in.x", "out/1.x", "out/2.x"], vec!["out/3.x"]),
            ("\\*{", vec!["*{"], vec!["a{"]),
        ] {
            let glob = Glob::new(pattern);
            for name in yes {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
    }
}
