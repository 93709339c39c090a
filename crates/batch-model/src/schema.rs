//! `Schema`: what a JSON answer shall look like, in the API's subset of OpenAPI 3.0.

use serde_json::Value;

use crate::{Entries, Float, List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// What a JSON answer, or a function's parameters, shall look like: the API's subset of OpenAPI 3.0.
    ///
    /// ```
    /// use batch_model::Schema;
    ///
    /// let schema = Schema::object([
    ///     ("category", Schema::string().with_enum(["sport", "tech"])),
    ///     ("confidence", Schema::number().with_range(0.0, 1.0)),
    /// ])
    /// .required()
    /// .ordered();
    /// assert_eq!(
    ///     serde_json::to_string(&schema)?,
    ///     concat!(
    ///         r#"{"type":"OBJECT","properties":{"category":{"type":"STRING","enum":["sport","tech"]},"#,
    ///         r#""confidence":{"type":"NUMBER","minimum":0,"maximum":1}},"#,
    ///         r#""required":["category","confidence"],"propertyOrdering":["category","confidence"]}"#,
    ///     ),
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Schema {
        /// The type as it was written; [`Schema::kind`] reads it in either case.
        r#type: Option<SchemaType> = "type",
        /// A refinement: `enum`, `date-time`, `float`, `int64`, …
        format: Option<String> = "format",
        /// A heading for people.
        title: Option<String> = "title",
        /// What it means; the model reads it.
        description: Option<String> = "description",
        /// Whether it may be null.
        nullable: Option<bool> = "nullable",
        /// What it is where absent; the model ignores it.
        default: Option<Value> = "default",
        /// An example; the model ignores it.
        example: Option<Value> = "example",
        /// A regular expression that a string matches.
        pattern: Option<String> = "pattern",
        /// The values that a string may have.
        r#enum: List<String> = "enum",
        /// What the elements of an array look like.
        items: Option<Box<Schema>> = "items",
        /// One of these it is.
        any_of: List<Schema> = "anyOf",
        /// The members of an object.
        properties: Option<Entries<Schema>> = "properties",
        /// The members that must be there.
        required: List<String> = "required",
        /// The order in which the model writes the members.
        property_ordering: List<String> = "propertyOrdering",
        /// Whether, or of which schema, other members may be.
        additional_properties: Option<Value> = "additionalProperties",
        /// Fewest elements of an array.
        min_items: Option<i64> = "minItems",
        /// Most elements of an array.
        max_items: Option<i64> = "maxItems",
        /// Fewest characters of a string.
        min_length: Option<i64> = "minLength",
        /// Most characters of a string.
        max_length: Option<i64> = "maxLength",
        /// Fewest members of an object.
        min_properties: Option<i64> = "minProperties",
        /// Most members of an object.
        max_properties: Option<i64> = "maxProperties",
        /// Smallest number.
        minimum: Option<Float> = "minimum",
        /// Largest number.
        maximum: Option<Float> = "maximum",
        /// A schema from `defs`, by its place: `#/defs/name`. JSON Schema's `$ref`.
        r#ref: Option<String> = "ref",
        /// Schemas that `ref` names. JSON Schema's `$defs`.
        defs: Option<Entries<Schema>> = "defs",
    }
}

open_enum! {
    /// The type of a value, in upper case; see [`Schema::kind`] for the other.
    pub enum SchemaType {
        /// Not said.
        Unspecified = "TYPE_UNSPECIFIED" = 0,
        /// A string.
        String = "STRING" = 1,
        /// A number.
        Number = "NUMBER" = 2,
        /// A whole number.
        Integer = "INTEGER" = 3,
        /// True or false.
        Boolean = "BOOLEAN" = 4,
        /// A list.
        Array = "ARRAY" = 5,
        /// Members with names.
        Object = "OBJECT" = 6,
        /// Null.
        Null = "NULL" = 7,
    }
}

impl Schema {
    fn of(r#type: SchemaType) -> Self {
        Self { r#type: Some(r#type), ..Self::default() }
    }

    /// A string.
    #[must_use]
    pub fn string() -> Self {
        Self::of(SchemaType::String)
    }

    /// A number.
    #[must_use]
    pub fn number() -> Self {
        Self::of(SchemaType::Number)
    }

    /// A whole number.
    #[must_use]
    pub fn integer() -> Self {
        Self::of(SchemaType::Integer)
    }

    /// True or false.
    #[must_use]
    pub fn boolean() -> Self {
        Self::of(SchemaType::Boolean)
    }

    /// A list of `items`.
    #[must_use]
    pub fn array(items: Self) -> Self {
        Self { items: Some(Box::new(items)), ..Self::of(SchemaType::Array) }
    }

    /// An object with these members, none of which must be there; see [`Schema::required`].
    #[must_use]
    pub fn object<N: Into<String>>(properties: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self { properties: Some(properties.into_iter().collect()), ..Self::of(SchemaType::Object) }
    }

    /// One of these.
    #[must_use]
    pub fn any_of(schemas: impl IntoIterator<Item = Self>) -> Self {
        Self { any_of: schemas.into_iter().collect(), ..Self::default() }
    }

    /// The type, whatever the case in which it was written: the service takes `string` for `STRING`.
    #[must_use]
    pub fn kind(&self) -> Option<SchemaType> {
        self.r#type.as_ref().map(|written| SchemaType::from_name(&written.as_str().to_ascii_uppercase()))
    }

    /// The same schema, with only these values.
    #[must_use]
    pub fn with_enum<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.r#enum = values.into_iter().map(Into::into).collect();
        self
    }

    /// The same schema, with what it means.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The same schema, for numbers from `minimum` to `maximum`, both included.
    #[must_use]
    pub fn with_range(mut self, minimum: impl Into<Float>, maximum: impl Into<Float>) -> Self {
        self.minimum = Some(minimum.into());
        self.maximum = Some(maximum.into());
        self
    }

    /// The same schema, for lists of `minimum` to `maximum` elements, both included.
    #[must_use]
    pub fn with_items_range(mut self, minimum: u32, maximum: u32) -> Self {
        self.min_items = Some(minimum.into());
        self.max_items = Some(maximum.into());
        self
    }

    /// The same schema, and null.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = Some(true);
        self
    }

    /// The same schema, with all of its members required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = self.property_names();
        self
    }

    /// The same schema, with its members written by the model in the order in which they stand here.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.property_ordering = self.property_names();
        self
    }

    fn property_names(&self) -> List<String> {
        self.properties.iter().flat_map(Entries::names).map(str::to_owned).collect()
    }
}
