//! `Content`: one turn of a conversation.

use crate::{List, Part, PartKind, wire::wire_struct};

wire_struct! {
    /// One turn of a conversation: who says it, and its parts.
    ///
    /// ```
    /// use batch_model::{Content, Part};
    ///
    /// let turn = Content::user([Part::file("gs://bucket/photo.png", "image/png"), Part::text("What is this?")]);
    /// assert_eq!(turn.role.as_deref(), Some("user"));
    /// assert_eq!(turn.text().as_deref(), Some("What is this?"));
    /// ```
    pub struct Content {
        /// `user` or `model`; absent is `user`. The service refuses any other.
        role: Option<String> = "role",
        /// What is said. A candidate may have a content without any part.
        parts: List<Part> = "parts",
    }
}

impl Content {
    /// A turn without a role, as a system instruction has none.
    #[must_use]
    pub fn new(parts: impl Into<List<Part>>) -> Self {
        Self { parts: parts.into(), ..Self::default() }
    }

    /// A turn of the user: a text, a part or several.
    #[must_use]
    pub fn user(parts: impl Into<List<Part>>) -> Self {
        Self::new(parts).with_role("user")
    }

    /// A turn of the model, as in few-shot prompts.
    #[must_use]
    pub fn model(parts: impl Into<List<Part>>) -> Self {
        Self::new(parts).with_role("model")
    }

    fn with_role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// The text parts joined, thoughts left out; `None` where there is no such part.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.joined(|part| !part.is_thought())
    }

    /// The thoughts joined; `None` where there are none.
    #[must_use]
    pub fn thoughts(&self) -> Option<String> {
        self.joined(Part::is_thought)
    }

    fn joined(&self, wanted: impl Fn(&Part) -> bool) -> Option<String> {
        let texts = self.parts.iter().filter(|part| wanted(part)).filter_map(|part| match part.kind() {
            PartKind::Text(text) => Some(text),
            _ => None,
        });
        texts.fold(None, |joined: Option<String>, text| Some(joined.unwrap_or_default() + text))
    }
}

impl From<&str> for List<Part> {
    fn from(text: &str) -> Self {
        Part::text(text).into()
    }
}

impl From<String> for List<Part> {
    fn from(text: String) -> Self {
        Part::text(text).into()
    }
}

impl From<Part> for List<Part> {
    fn from(part: Part) -> Self {
        [part].into()
    }
}
