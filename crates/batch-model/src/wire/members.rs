//! What may stand as a member of an object.

use serde::de::{Error, MapAccess};
use serde_json::{Map, Value};

use super::{Lenient, Member, Shape, Wire};
use crate::List;

/// Puts the next value of `object` into a slot that must be vacant, unless the value is `null`.
fn fill<'de, T, U, A>(slot: &mut T, vacant: bool, name: &'static str, object: &mut A) -> Result<(), A::Error>
where
    T: From<U>,
    U: Wire,
    A: MapAccess<'de>,
{
    match object.next_value::<Option<Lenient<U>>>()? {
        None => Ok(()),
        Some(_) if !vacant => Err(A::Error::duplicate_field(name)),
        Some(Lenient(value)) => {
            *slot = T::from(value);
            Ok(())
        }
    }
}

impl<T: Wire> Member for Option<T> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let vacant = self.is_none();
        fill::<_, T, _>(self, vacant, name, object)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Wire> Member for List<T> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let vacant = self.is_absent();
        fill::<_, Self, _>(self, vacant, name, object)
    }

    fn is_absent(&self) -> bool {
        List::is_absent(self)
    }

    fn shape() -> Shape {
        <Self as Wire>::shape()
    }
}

impl<T: Wire> Member for Vec<T> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let vacant = self.is_empty();
        fill::<_, List<T>, _>(self, vacant, name, object)
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn shape() -> Shape {
        <List<T> as Wire>::shape()
    }
}

impl Member for String {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let vacant = self.is_empty();
        fill::<_, Self, _>(self, vacant, name, object)
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn shape() -> Shape {
        <Self as Wire>::shape()
    }
}

impl Member for Map<String, Value> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let vacant = self.is_empty();
        fill::<_, Self, _>(self, vacant, name, object)
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn shape() -> Shape {
        <Self as Wire>::shape()
    }
}
