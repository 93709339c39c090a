//! What an import made of all rows: which types stood at which path.

use std::collections::BTreeMap;

use super::tree::{Json, Node, Tree, View, write_scalar, write_text};

/// Where a row starts: the number of its file and the byte there, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(u64);

impl Place {
    /// No row at all; later than every row.
    const NONE: Place = Place(u64::MAX);

    /// The row at byte `offset` of file `file`. Files end below 2^48 bytes.
    pub(crate) fn new(file: u32, offset: u64) -> Place {
        Place((u64::from(file & 0xffff) << 48) | (offset & 0xffff_ffff_ffff))
    }

    /// The number of the file.
    pub(crate) fn file(self) -> usize {
        usize::from((self.0 >> 48) as u16)
    }

    /// The byte in the file.
    pub(crate) fn offset(self) -> u64 {
        self.0 & 0xffff_ffff_ffff
    }
}

/// The types that the loader tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// A string that is a number, which the loader takes for one.
    Digits,
    /// `"true"` or `"false"`, which the loader takes for a boolean.
    Truth,
    Text,
    Number,
    Bool,
    Object,
    Array,
}

const TYPES: [Type; 7] = [Type::Digits, Type::Truth, Type::Text, Type::Number, Type::Bool, Type::Object, Type::Array];

/// All that was seen at one path and below it.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The first row that had each type here.
    seen: [Place; TYPES.len()],
    /// Whether a number had a point or an exponent.
    fraction: bool,
    fields: BTreeMap<Box<str>, Shape>,
    items: Option<Box<Shape>>,
}

/// The type of a column that takes in all that was seen at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Nothing but nulls.
    Unknown,
    Text,
    Integer,
    Float,
    Bool,
    Record(Vec<(String, Column)>),
    List(Box<Column>),
}

/// A path where two rows do not fit into one column.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The row that came second.
    pub(crate) place: Place,
    /// What the loader says.
    pub(crate) message: String,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { seen: [Place::NONE; TYPES.len()], fraction: false, fields: BTreeMap::new(), items: None }
    }
}

impl Shape {
    /// Takes in one row, or the part of one that stands at this path.
    ///
    /// # Errors
    /// The names on the way to an object without members, last first: the loader has no
    /// type for it.
    pub(crate) fn observe(&mut self, json: Json<'_>, place: Place) -> Result<(), Vec<String>> {
        let seen = match json.view() {
            View::Null => return Ok(()),
            View::Bool(_) => Type::Bool,
            View::Int(_) => Type::Number,
            View::Uint(_) | View::Float(_) => {
                self.fraction = true;
                Type::Number
            }
            View::Str(text) => match text.as_word().and_then(retyped) {
                Some(Node::Bool(_)) => Type::Truth,
                Some(number) => {
                    self.fraction |= matches!(number, Node::Float(_));
                    Type::Digits
                }
                None => Type::Text,
            },
            View::Array(items) => {
                let shape = self.items.get_or_insert_default();
                for item in items {
                    shape.observe(item, place)?;
                }
                Type::Array
            }
            View::Object(members) => {
                if members.is_empty() {
                    return Err(Vec::new());
                }
                for (name, value) in members {
                    self.observe_field(name, value, place)?;
                }
                Type::Object
            }
        };
        let first = &mut self.seen[seen as usize];
        *first = place.min(*first);
        Ok(())
    }

    /// Takes in one member of the object at this path.
    ///
    /// # Errors
    /// As [`Shape::observe`].
    pub(crate) fn observe_field(&mut self, name: &str, value: Json<'_>, place: Place) -> Result<(), Vec<String>> {
        let field = match self.fields.get_mut(name) {
            Some(field) => field,
            None => self.fields.entry(name.into()).or_default(),
        };
        field.observe(value, place).map_err(|mut path| {
            path.push(name.to_owned());
            path
        })
    }

    /// Adds what another part of the rows looked like.
    pub(crate) fn merge(&mut self, other: Shape) {
        for (mine, theirs) in self.seen.iter_mut().zip(other.seen) {
            *mine = theirs.min(*mine);
        }
        self.fraction |= other.fraction;
        for (name, theirs) in other.fields {
            match self.fields.get_mut(&name) {
                Some(mine) => mine.merge(theirs),
                None => {
                    self.fields.insert(name, theirs);
                }
            }
        }
        if let Some(theirs) = other.items {
            self.items.get_or_insert_default().merge(*theirs);
        }
    }

    /// How many columns it would take.
    pub(crate) fn columns(&self) -> usize {
        let below: usize = self.fields.values().map(Shape::columns).sum();
        let items = self.items.as_ref().map_or(0, |items| items.columns());
        (below + items).max(1)
    }

    /// The type of a column for this path; `retype` as the loader does, to make numbers of
    /// strings of digits.
    pub(crate) fn column(&self, retype: bool) -> Column {
        let has = |kind: Type| self.seen[kind as usize] != Place::NONE;
        if has(Type::Array) {
            let items = self.items.as_ref().map_or(Column::Unknown, |items| items.column(retype));
            return Column::List(Box::new(items));
        }
        if has(Type::Object) {
            return Column::Record(self.members(retype));
        }
        let digits = has(Type::Digits) || has(Type::Truth);
        if has(Type::Text) || (digits && !(retype && self.is_retyped())) {
            return Column::Text;
        }
        if has(Type::Bool) || has(Type::Truth) {
            return Column::Bool;
        }
        match (has(Type::Number) || has(Type::Digits), self.fraction) {
            (true, false) => Column::Integer,
            (true, true) => Column::Float,
            (false, _) => Column::Unknown,
        }
    }

    /// The columns of all members, sorted by name.
    pub(crate) fn members(&self, retype: bool) -> Vec<(String, Column)> {
        self.fields.iter().map(|(name, shape)| (name.to_string(), shape.column(retype))).collect()
    }

    /// What is seen below the member `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Shape> {
        self.fields.get(name)
    }

    /// The first row that does not fit in with those before it.
    pub(crate) fn conflict(&self) -> Option<Conflict> {
        let mut first = None;
        self.find_conflict(&mut Vec::new(), &mut first);
        first
    }

    fn find_conflict<'s>(&'s self, path: &mut Vec<&'s str>, first: &mut Option<Conflict>) {
        let mut seen: Vec<(Place, Type)> = self
            .seen
            .iter()
            .zip(TYPES)
            .filter(|(place, _)| **place != Place::NONE)
            .map(|(place, kind)| (*place, kind))
            .collect();
        seen.sort_by_key(|(place, _)| *place);
        // Digits alone are numbers, beside text they are text; so with booleans.
        let has = |kind: Type| seen.iter().any(|(_, other)| *other == kind);
        let text = has(Type::Text) || (has(Type::Digits) && has(Type::Truth));
        let column = |kind: Type| match kind {
            Type::Digits | Type::Truth if text => Type::Text,
            Type::Digits => Type::Number,
            Type::Truth => Type::Bool,
            other => other,
        };
        if let Some((&(_, established), rest)) = seen.split_first()
            && let Some(&(place, other)) = rest.iter().find(|(_, k)| column(*k) != column(established))
            && first.as_ref().is_none_or(|first| place < first.place)
        {
            *first = Some(Conflict { place, message: complaint(column(established), column(other), &path.join(".")) });
        }
        for (name, field) in &self.fields {
            path.push(name);
            field.find_conflict(path, first);
            path.pop();
        }
        if let Some(items) = &self.items {
            items.find_conflict(path, first);
        }
    }

    /// Whether the strings here all came as numbers or all as booleans, which they now are.
    fn is_retyped(&self) -> bool {
        let has = |kind: Type| self.seen[kind as usize] != Place::NONE;
        (has(Type::Digits) != has(Type::Truth)) && !has(Type::Text)
    }

    /// Whether any string at or below this path is to become a number or a boolean.
    pub(crate) fn retypes_any(&self) -> bool {
        self.is_retyped()
            || self.fields.values().any(Shape::retypes_any)
            || self.items.as_ref().is_some_and(|items| items.retypes_any())
    }

    /// Makes numbers and booleans of the strings that the loader took for such.
    pub(crate) fn retype(&self, tree: &mut Tree<'_>) {
        self.retype_at(&mut tree.nodes, 0);
    }

    fn retype_at(&self, nodes: &mut [Node<'_>], at: usize) {
        match &nodes[at] {
            Node::Str(text) => {
                if self.is_retyped()
                    && let Some(scalar) = text.as_word().and_then(retyped)
                {
                    nodes[at] = scalar;
                }
            }
            Node::Array(end) => {
                let (mut at, end) = (at + 1, *end);
                let Some(items) = &self.items else {
                    return;
                };
                while at < end {
                    items.retype_at(nodes, at);
                    at = after(nodes, at);
                }
            }
            Node::Object(end) => {
                let (mut at, end) = (at + 1, *end);
                while at < end {
                    let field = match &nodes[at] {
                        Node::Str(name) => self.fields.get(name.as_str()),
                        _ => None,
                    };
                    if let Some(field) = field {
                        field.retype_at(nodes, at + 1);
                    }
                    at = after(nodes, at + 1);
                }
            }
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Uint(_) | Node::Float(_) => {}
        }
    }

    /// Writes a value as it comes back: members sorted, and each element of an array of
    /// objects with a null for what only its neighbours have, in this row or another.
    pub(crate) fn write_echo(shape: Option<&Shape>, json: Json<'_>, out: &mut Vec<u8>) {
        match json.view() {
            View::Array(items) => {
                let shape = shape.and_then(|shape| shape.items.as_deref());
                out.push(b'[');
                for (i, item) in items.enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    match (item.view(), shape) {
                        (View::Object(members), Some(shape)) => {
                            shape.write_element(members.sorted(), out);
                        }
                        _ => Shape::write_echo(shape, item, out),
                    }
                }
                out.push(b']');
            }
            View::Object(_) => Shape::write_object_echo(shape, json, &|_| None, out),
            _ => write_scalar(json, out),
        }
    }

    /// [`Shape::write_echo`] of an object, some of whose members are `known` from another row.
    pub(crate) fn write_object_echo<'k>(
        shape: Option<&Shape>,
        json: Json<'_>,
        known: &dyn Fn(Json<'_>) -> Option<&'k [u8]>,
        out: &mut Vec<u8>,
    ) {
        let View::Object(members) = json.view() else {
            Shape::write_echo(shape, json, out);
            return;
        };
        out.push(b'{');
        for (i, (name, value)) in members.sorted().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            value.write_name(out);
            out.push(b':');
            match known(value) {
                Some(known) => out.extend_from_slice(known),
                None => Shape::write_echo(shape.and_then(|shape| shape.field(name)), value, out),
            }
        }
        out.push(b'}');
    }

    /// Writes an object with all the members that there are at this path.
    fn write_element<'t>(&self, members: impl Iterator<Item = (&'t str, Json<'t>)>, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut members = members.peekable();
        let mut first = true;
        let mut name = |name: &str, out: &mut Vec<u8>| {
            if !first {
                out.push(b',');
            }
            first = false;
            write_text(name, out);
            out.push(b':');
        };
        // Both sides are sorted. What is only null everywhere has a place among the
        // members and none in the shape.
        for (field, shape) in &self.fields {
            while let Some((own, value)) = members.next_if(|(own, _)| *own < &**field) {
                name(own, out);
                Shape::write_echo(None, value, out);
            }
            name(field, out);
            match members.next_if(|(own, _)| *own == &**field) {
                Some((_, value)) => Shape::write_echo(Some(shape), value, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        for (own, value) in members {
            name(own, out);
            Shape::write_echo(None, value, out);
        }
        out.push(b'}');
    }
}

/// Where the value at `at` ends.
fn after(nodes: &[Node<'_>], at: usize) -> usize {
    match &nodes[at] {
        Node::Array(end) | Node::Object(end) => *end,
        _ => at + 1,
    }
}

/// What the loader makes of a string that is a number or a boolean, where it stands alone.
fn retyped(text: &str) -> Option<Node<'static>> {
    match text {
        "true" => return Some(Node::Bool(true)),
        "false" => return Some(Node::Bool(false)),
        _ => {}
    }
    // Rust's parser knows words as well: `inf` and `nan`.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.bytes().any(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(Node::Int(number));
    }
    let is_integer = !text.contains(['.', 'e', 'E']);
    text.parse().ok().filter(|number: &f64| number.is_finite() && !is_integer).map(Node::Float)
}

/// What the loader says when a column of one type meets a value of another.
fn complaint(column: Type, value: Type, path: &str) -> String {
    let name = |kind| match kind {
        Type::Digits | Type::Number => "double",
        Type::Text => "string",
        Type::Bool | Type::Truth => "boolean",
        Type::Object | Type::Array => "record",
    };
    match (column, value) {
        (Type::Array, _) => {
            format!("Repeated field must be imported as a JSON array. Field: {path}")
        }
        (_, Type::Array) => format!("Array specified for non-repeated field: {path}."),
        (Type::Object, _) => format!("Flat value specified for record field. Field: {path}"),
        (_, Type::Object) => {
            format!("JSON object specified for non-record field: {path}")
        }
        _ => format!("Could not convert value from {} to {}. Field: {path}", name(value), name(column)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(rows: &[&str]) -> Shape {
        let mut shape = Shape::default();
        for (i, row) in rows.iter().enumerate() {
            let tree = Tree::parse(row).unwrap();
            let place = Place::new(0, i as u64);
            shape.observe(tree.root(), place).unwrap();
        }
        shape
    }

    fn echo(shape: &Shape, row: &str) -> String {
        let mut tree = Tree::parse(row).unwrap();
        shape.retype(&mut tree);
        let mut out = Vec::new();
        Shape::write_echo(Some(shape), tree.root(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn elements_get_the_members_of_all_elements_in_all_rows() {
        let rows = [
            r#"{"p":[{"text":"a"},{"file":{"uri":"u"}}],"c":{"t":1.0}}"#,
            r#"{"p":[{"video":{"fps":1},"text":"b"}],"c":{"k":2,"n":null}}"#,
        ];
        let shape = shape_of(&rows);
        assert_eq!(
            echo(&shape, rows[0]),
            r#"{"c":{"t":1},"p":[{"file":null,"text":"a","video":null},{"file":{"uri":"u"},"text":null,"video":null}]}"#
        );
        assert_eq!(echo(&shape, rows[1]), r#"{"c":{"k":2,"n":null},"p":[{"file":null,"text":"b","video":{"fps":1}}]}"#);
    }

    #[test]
    fn digits_become_integers_only_where_all_rows_agree() {
        let rows = [
            r#"{"key":"007","labels":{"id":"1","team":"1"},"e":["1","2"]}"#,
            r#"{"key":"8","labels":{"id":"2","team":"x"},"e":["3"]}"#,
        ];
        let shape = shape_of(&rows);
        assert!(shape.retypes_any());
        assert_eq!(echo(&shape, rows[0]), r#"{"e":[1,2],"key":7,"labels":{"id":1,"team":"1"}}"#);
        let rows = [r#"{"a":"true","b":"1.5","c":"1e3","d":"true"}"#, r#"{"a":"false","b":"2","c":null,"d":"1"}"#];
        assert_eq!(echo(&shape_of(&rows), rows[0]), r#"{"a":true,"b":1.5,"c":1000,"d":"true"}"#);
        assert!(!shape_of(&[r#"{"key":"n7","x":"99999999999999999999","y":""}"#]).retypes_any());
    }

    #[test]
    fn rows_that_do_not_fit_one_column_are_named() {
        for (rows, message) in [
            ([r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":1}}"#], "Repeated field must be imported as a JSON array. Field: a.b"),
            ([r#"{"a":{"b":1}}"#, r#"{"a":{"b":[1]}}"#], "Array specified for non-repeated field: a.b."),
            ([r#"{"a":{"b":1}}"#, r#"{"a":"x"}"#], "Flat value specified for record field. Field: a"),
            ([r#"{"a":[{"b":"x"}]}"#, r#"{"a":[{"b":{"c":1}}]}"#], "JSON object specified for non-record field: a.b"),
            ([r#"{"a":"x"}"#, r#"{"a":1}"#], "Could not convert value from double to string. Field: a"),
        ] {
            let conflict = shape_of(&rows).conflict().unwrap();
            assert_eq!(conflict.message, message);
            assert_eq!(conflict.place.offset(), 1);
        }
        for rows in
            [[r#"{"a":"1"}"#, r#"{"a":"x"}"#], [r#"{"a":"1"}"#, r#"{"a":2.5}"#], [r#"{"a":null}"#, r#"{"a":[1]}"#]]
        {
            assert_eq!(shape_of(&rows).conflict(), None, "{rows:?}");
        }
    }

    #[test]
    fn parts_of_the_rows_add_up() {
        let mut one = shape_of(&[r#"{"a":[{"b":1}]}"#]);
        one.merge(shape_of(&[r#"{"a":[{"c":"x"}],"d":{"e":1}}"#]));
        assert_eq!(one.columns(), 3);
        assert_eq!(echo(&one, r#"{"a":[{}]}"#), r#"{"a":[{"b":null,"c":null}]}"#);
    }

    #[test]
    fn an_empty_object_is_named_by_its_path() {
        let tree = Tree::parse(r#"{"tools":[{"googleSearch":{}}]}"#).unwrap();
        let path = Shape::default().observe(tree.root(), Place::new(0, 0));
        assert_eq!(path.unwrap_err(), ["googleSearch", "tools"]);
    }
}
