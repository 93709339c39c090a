//! What the objects of the API look like, as data.

/// What a value of the wire may be, for who checks or explains JSON without parsing it into types.
///
/// `null` is allowed everywhere, and means that the member is absent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Shape {
    /// A string.
    String,
    /// `true` or `false`.
    Bool,
    /// An integer: a number, or a string of digits.
    Integer,
    /// A number: `0.2`, or one of the strings `NaN`, `Infinity` and `-Infinity`.
    Number,
    /// One of these names (or its number). The service may know more of them.
    Enum(&'static [&'static str]),
    /// An array; the service takes a single element as well.
    List(Box<Self>),
    /// An object whose names are the user's own.
    Map(Box<Self>),
    /// An object whose names are the API's.
    Object(&'static ObjectShape),
    /// Any JSON.
    Any,
}

/// The names of one object of the API.
#[derive(Debug)]
pub struct ObjectShape {
    name: &'static str,
    members: &'static [MemberShape],
}

impl ObjectShape {
    pub(crate) const fn new(name: &'static str, members: &'static [MemberShape]) -> Self {
        Self { name, members }
    }

    /// The name of the Rust type, which is the API's own or near it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The known members, in the order in which they are written.
    #[must_use]
    pub fn members(&self) -> &'static [MemberShape] {
        self.members
    }

    /// The member with this name, in either spelling.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static MemberShape> {
        self.members.iter().find(|member| member.name() == name || member.snake_name() == name)
    }
}

/// One member of an object of the API.
#[derive(Debug)]
pub struct MemberShape {
    name: &'static str,
    ident: &'static str,
    shape: fn() -> Shape,
}

impl MemberShape {
    pub(crate) const fn new(name: &'static str, ident: &'static str, shape: fn() -> Shape) -> Self {
        Self { name, ident, shape }
    }

    /// Its `camelCase` name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its `snake_case` name, which the service takes as well.
    #[must_use]
    pub fn snake_name(&self) -> &'static str {
        self.ident.strip_prefix("r#").unwrap_or(self.ident)
    }

    /// What its value looks like.
    #[must_use]
    pub fn shape(&self) -> Shape {
        (self.shape)()
    }
}
