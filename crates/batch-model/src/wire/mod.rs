//! How values of the wire are read and written: liberally, faithfully, and said once.
//!
//! [`wire_struct!`] declares an object of the API. What serde's derive would need on every member
//! (the second spelling, `null`, leaving out what is absent, keeping what is unknown) follows from
//! the member's type here:
//!
//! | type | read from | absent | written |
//! | --- | --- | --- | --- |
//! | `Option<T>` | a `T`, `null` | `None` | if there |
//! | `List<T>` | an array, a single `T`, `null` | not there | if there, an empty one too |
//! | `Vec<T>`, `String`, `Map` | the same | empty | if not empty |

mod members;
mod scalar;

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess},
};

use crate::shape::Shape;

/// A value of the wire that is not `null`.
pub(crate) trait Wire: Serialize + Sized {
    /// Reads it in each of the spellings that the service takes or writes.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// What it looks like.
    fn shape() -> Shape;
}

/// A member of an object.
pub(crate) trait Member: Serialize {
    /// Takes the value that comes next in `object`; `null` changes nothing, a second value is an error.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error>;

    /// Whether it is left out when written.
    fn is_absent(&self) -> bool;

    /// What its value looks like.
    fn shape() -> Shape;
}

/// A [`Wire`] value where serde wants one of its own.
pub(crate) struct Lenient<T>(pub(crate) T);

impl<'de, T: Wire> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

/// The name of a member, borrowed where it stands in the text unescaped.
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Writes a number as a JSON string, as the service writes `int64`.
pub(crate) struct AsText<'a, T>(pub(crate) &'a Option<T>);

impl<T: std::fmt::Display> Serialize for AsText<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }
}

/// Declares objects of the API: `member: Type = "nameOnTheWire"`, where the Rust name is the
/// `snake_case` spelling that is read as well. `as AsText` writes a number as a string.
///
/// The members come out public, in this order; unknown ones are kept in `extra` and come after them.
macro_rules! wire_struct {
    ($(
        $(#[$meta:meta])*
        pub struct $object:ident {
            $( $(#[$member_meta:meta])* $member:ident : $type:ty = $name:literal $(as $writer:ident)?, )*
        }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $object {
            $( $(#[$member_meta])* pub $member: $type, )*
            /// Every other member, as it came.
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl $object {
            /// The names and types of the members that are known.
            #[must_use]
            pub fn shape() -> &'static $crate::shape::ObjectShape {
                static SHAPE: $crate::shape::ObjectShape = $crate::shape::ObjectShape::new(
                    stringify!($object),
                    &[ $( $crate::shape::MemberShape::new(
                        $name,
                        stringify!($member),
                        <$type as $crate::wire::Member>::shape,
                    ), )* ],
                );
                &SHAPE
            }
        }

        impl serde::Serialize for $object {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut object = serializer.serialize_map(None)?;
                $( if !$crate::wire::Member::is_absent(&self.$member) {
                    object.serialize_entry($name, &$crate::wire::wire_struct!(@write &self.$member $(, $writer)?))?;
                } )*
                for (name, value) in &self.extra {
                    object.serialize_entry(name, value)?;
                }
                object.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $object {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $object;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($object), ")"))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut object: A) -> Result<$object, A::Error> {
                        let mut this = $object::default();
                        while let Some($crate::wire::Name(name)) = object.next_key()? {
                            // A one-word member has one spelling: its second pattern is the first again.
                            #[allow(unreachable_patterns)]
                            match name.as_ref() {
                                $( $name | stringify!($member) => {
                                    $crate::wire::Member::take(&mut this.$member, $name, &mut object)?;
                                } )*
                                _ => {
                                    this.extra.insert(name.into_owned(), object.next_value()?);
                                }
                            }
                        }
                        Ok(this)
                    }
                }
                deserializer.deserialize_map(Visitor)
            }
        }

        impl $crate::wire::Wire for $object {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(deserializer)
            }

            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Object($object::shape())
            }
        }
    )* };
    (@write $value:expr) => { $value };
    (@write $value:expr, $writer:ident) => { $crate::wire::$writer($value) };
}

pub(crate) use wire_struct;
