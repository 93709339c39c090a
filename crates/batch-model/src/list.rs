//! Repeated fields and maps that keep what was written.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer, value::MapAccessDeserializer},
    ser::SerializeMap,
};

use crate::{
    shape::Shape,
    wire::{Lenient, Wire},
};

/// A repeated field: a `Vec` that remembers whether it was there.
///
/// An empty list that was written is not the same as none: `{"googleSearch": {"excludeDomains": []}}`
/// passes the import of a batch, `{"googleSearch": {}}` fails the whole job.
///
/// ```
/// use batch_model::{Content, List, Part};
///
/// let content: Content = serde_json::from_str(r#"{"parts": {"text": "one part, without brackets"}}"#)?;
/// assert_eq!(content.parts.len(), 1);
/// assert!(List::<Part>::default().is_absent());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct List<T> {
    items: Vec<T>,
    written: bool,
}

impl<T> List<T> {
    /// Whether the field is not there at all.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        !self.written && self.items.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), written: false }
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_absent() { f.write_str("absent") } else { self.items.fmt(f) }
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, written: true }
    }
}

impl<T, const N: usize> From<[T; N]> for List<T> {
    fn from(items: [T; N]) -> Self {
        Vec::from(items).into()
    }
}

impl<T> From<List<T>> for Vec<T> {
    fn from(list: List<T>) -> Self {
        list.items
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<T: Wire> Wire for List<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        /// The service takes a single element for a list of one, and its documentation writes it so.
        fn single<'de, T: Wire, E: de::Error>(value: impl IntoDeserializer<'de, E>) -> Result<List<T>, E> {
            T::read(value.into_deserializer()).map(|item| [item].into())
        }

        impl<'de, T: Wire> de::Visitor<'de> for Visitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Option<Lenient<T>>>()? {
                    items.extend(item.map(|Lenient(item)| item));
                }
                Ok(items.into())
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
                T::read(MapAccessDeserializer::new(map)).map(|item| [item].into())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<List<T>, E> {
                single(text)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<List<T>, E> {
                single(value)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<List<T>, E> {
                single(number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<List<T>, E> {
                single(number)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<List<T>, E> {
                single(number)
            }
        }
        deserializer.deserialize_any(Visitor(PhantomData))
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

/// A map whose names the user chose, in the order in which they were written.
///
/// ```
/// use batch_model::{Entries, Schema};
///
/// let properties = Entries::from([("title", Schema::string()), ("year", Schema::integer())]);
/// assert_eq!(properties.names().collect::<Vec<_>>(), ["title", "year"]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Entries<T>(Vec<(String, T)>);

impl<T> Entries<T> {
    /// The value with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find_map(|(entry, value)| (entry == name).then_some(value))
    }

    /// Sets the value with this name, at the end where it is new; gives back the old one.
    pub fn insert(&mut self, name: impl Into<String>, value: T) -> Option<T> {
        let name = name.into();
        match self.0.iter_mut().find(|(entry, _)| *entry == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.0.push((name, value));
                None
            }
        }
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<String>, T> FromIterator<(N, T)> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(items: I) -> Self {
        let mut entries = Self::default();
        for (name, value) in items {
            entries.insert(name, value);
        }
        entries
    }
}

impl<N: Into<String>, T, const COUNT: usize> From<[(N, T); COUNT]> for Entries<T> {
    fn from(items: [(N, T); COUNT]) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<T: Wire> Wire for Entries<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Wire> de::Visitor<'de> for Visitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Entries::default();
                while let Some((name, value)) = map.next_entry::<String, Option<Lenient<T>>>()? {
                    if let Some(Lenient(value)) = value {
                        entries.insert(name, value);
                    }
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData))
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}
