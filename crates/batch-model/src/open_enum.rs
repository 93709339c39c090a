//! Enums that survive values invented after this crate was written.

/// Declares enums of the wire: `Variant = "NAME"`, or `Variant = "NAME" = 3` where its number in the
/// protocol buffers is known. Any other name or number is kept in `Unknown` and written as it came.
macro_rules! open_enum {
    ($(
        $(#[$meta:meta])*
        pub enum $enum:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $name:literal $(= $number:literal)?, )*
        }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $enum {
            $( $(#[$variant_meta])* $variant, )*
            /// A value that this version does not know: its name, or the digits of its number.
            Unknown(String),
        }

        impl $enum {
            /// The known names, in the API's order.
            pub const NAMES: &'static [&'static str] = &[ $($name),* ];

            /// The value's name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $( Self::$variant => $name, )* Self::Unknown(name) => name }
            }

            /// The value with this name; an unknown name is kept.
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                match name { $( $name => Self::$variant, )* _ => Self::Unknown(name.to_owned()) }
            }

            /// The value with this number in the protocol buffers; an unknown number is kept as its digits.
            #[must_use]
            pub fn from_number(number: i64) -> Self {
                $( $( if number == $number { return Self::$variant; } )? )*
                Self::Unknown(number.to_string())
            }

            /// The name of the value with this number in the protocol buffers, if it is known.
            #[must_use]
            pub fn name_of(number: i64) -> Option<&'static str> {
                match number { $( $( $number => Some($name), )? )* _ => None }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if let Self::Unknown(name) = self
                    && let Ok(number) = name.parse::<i64>()
                    && number.to_string() == *name
                {
                    // No name is a number: it came as one.
                    return serializer.serialize_i64(number);
                }
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $enum;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the name or the number of a ", stringify!($enum)))
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$enum, E> {
                        Ok($enum::from_name(name))
                    }

                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$enum, E> {
                        Ok($enum::from_number(number))
                    }

                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$enum, E> {
                        i64::try_from(number).map($enum::from_number).map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl $crate::wire::Wire for $enum {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(deserializer)
            }

            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Enum($enum::NAMES)
            }
        }
    )* };
}

pub(crate) use open_enum;
