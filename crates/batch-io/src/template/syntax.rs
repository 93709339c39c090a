//! A template taken apart, for whoever renders it by other means than the engine.

use std::sync::Arc;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::{Span, parse};
use minijinja::value::ValueKind;

use super::Template;
use super::jinja::{Jinja, syntax_config};
use crate::error::{Error, ErrorKind, Result};
use crate::table::Columns;

/// Where something stands in a template's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePlace {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// A piece of a template: what comes out is what its pieces make, one behind the other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TemplateNode {
    /// Text that is the same in every record; white space control and `{% raw %}` are
    /// already applied.
    Text(String),
    /// `{{ … }}`: the value of an expression.
    Print(TemplateExpression),
    /// `{% if … %} … {% else %} … {% endif %}`; an `elif` is an `If` in `otherwise`.
    If {
        /// Decides by its truth: an empty text, 0 and `false` are false.
        condition: TemplateExpression,
        /// What comes out where it holds.
        then: Vec<TemplateNode>,
        /// What comes out where it does not.
        otherwise: Vec<TemplateNode>,
    },
    /// Any other statement, such as a loop.
    Other {
        /// What it is, for a message: `loop`.
        what: &'static str,
        /// Where it stands.
        place: SourcePlace,
    },
}

/// An expression of a template.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TemplateExpression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Where it stands.
    pub place: SourcePlace,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExpressionKind {
    /// The record's value in the column of this name: `{{ title }}`, `{{ row["title"] }}`.
    Column(String),
    /// `record.key`.
    Key,
    /// `record.index`.
    Index,
    /// A string literal.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// `value | name(arguments…)`. The arguments have places only, no names.
    Filter {
        /// As written: `upper`.
        name: String,
        /// What it is applied to.
        value: Box<TemplateExpression>,
        /// Those in parentheses.
        arguments: Vec<TemplateExpression>,
    },
    /// `value[start:stop]` by constants: the characters from `start`, counted from 0, up to and
    /// without `stop`.
    Slice {
        /// What it is taken of.
        value: Box<TemplateExpression>,
        /// 0 where it is left out.
        start: u32,
        /// `None` for all that follow.
        stop: Option<u32>,
    },
    /// `a ~ b`: one text behind the other.
    Concat(Box<TemplateExpression>, Box<TemplateExpression>),
    /// `not a`.
    Not(Box<TemplateExpression>),
    /// `a and b`: the first where it is false, otherwise the second.
    And(Box<TemplateExpression>, Box<TemplateExpression>),
    /// `a or b`: the first where it is true, otherwise the second.
    Or(Box<TemplateExpression>, Box<TemplateExpression>),
    /// `a == b`: equal values of one type. A number is never equal to a text.
    Equal(Box<TemplateExpression>, Box<TemplateExpression>),
    /// `a if condition else b`.
    If {
        /// Decides by its truth.
        condition: Box<TemplateExpression>,
        /// Where it holds.
        then: Box<TemplateExpression>,
        /// Where it does not.
        otherwise: Box<TemplateExpression>,
    },
    /// Anything else.
    Other {
        /// What it is, for a message: `a call`.
        what: &'static str,
    },
}

impl Template {
    /// Takes a template apart, as the engine that renders it reads it: for a program that
    /// makes the same text of the same record by other means, such as SQL.
    ///
    /// It is total: what has no form of its own in the tree is
    /// [`Other`](ExpressionKind::Other).
    ///
    /// ```
    /// use batch_io::{Columns, ExpressionKind, Template, TemplateNode};
    ///
    /// let columns = Columns::of(["title"])?;
    /// let nodes = Template::syntax("prompt template", "About: {{ title | upper }}", &columns)?;
    /// assert_eq!(nodes[0], TemplateNode::Text("About: ".into()));
    /// let TemplateNode::Print(expression) = &nodes[1] else { panic!() };
    /// let ExpressionKind::Filter { name, value, .. } = &expression.kind else { panic!() };
    /// assert_eq!((name.as_str(), &value.kind), ("upper", &ExpressionKind::Column("title".into())));
    /// assert_eq!((value.place.line, value.place.column), (1, 11));
    /// # Ok::<(), batch_io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`compile`](Self::compile).
    pub fn syntax(name: &str, source: &str, columns: &Columns) -> Result<Vec<TemplateNode>> {
        Jinja::compile(name, source, Arc::new(columns.clone()))?;
        // It has compiled, so that neither fails.
        let failed = |error| Error::new(ErrorKind::Template, format!("the {name} is not Jinja")).caused_by(error);
        let Stmt::Template(template) = parse(source, name, syntax_config()?).map_err(failed)? else {
            return Ok(Vec::new());
        };
        Ok(nodes(&template.children, columns))
    }
}

fn nodes(statements: &[Stmt<'_>], columns: &Columns) -> Vec<TemplateNode> {
    let mut nodes = Vec::new();
    for statement in statements {
        let node = match statement {
            Stmt::EmitRaw(raw) => match nodes.last_mut() {
                _ if raw.raw.is_empty() => continue,
                Some(TemplateNode::Text(before)) => {
                    before.push_str(raw.raw);
                    continue;
                }
                _ => TemplateNode::Text(raw.raw.to_owned()),
            },
            Stmt::EmitExpr(emit) => TemplateNode::Print(expression(&emit.expr, columns)),
            Stmt::IfCond(branch) => TemplateNode::If {
                condition: expression(&branch.expr, columns),
                then: self::nodes(&branch.true_body, columns),
                otherwise: self::nodes(&branch.false_body, columns),
            },
            other => {
                let (what, span) = described(other);
                TemplateNode::Other { what, place: place(span) }
            }
        };
        nodes.push(node);
    }
    nodes
}

/// What a statement that has no form in the tree is called.
fn described(statement: &Stmt<'_>) -> (&'static str, Span) {
    match statement {
        Stmt::ForLoop(inner) => ("a loop", inner.span()),
        Stmt::Set(inner) => ("a variable", inner.span()),
        Stmt::SetBlock(inner) => ("a variable", inner.span()),
        Stmt::WithBlock(inner) => ("a variable", inner.span()),
        Stmt::Macro(inner) => ("a macro", inner.span()),
        Stmt::CallBlock(inner) => ("a call", inner.span()),
        Stmt::Do(inner) => ("a call", inner.span()),
        Stmt::FilterBlock(inner) => ("a filter block", inner.span()),
        Stmt::Block(inner) => ("a block", inner.span()),
        Stmt::AutoEscape(inner) => ("a block", inner.span()),
        Stmt::Import(inner) => ("another template", inner.span()),
        Stmt::FromImport(inner) => ("another template", inner.span()),
        Stmt::Extends(inner) => ("another template", inner.span()),
        Stmt::Include(inner) => ("another template", inner.span()),
        Stmt::Template(inner) => ("another template", inner.span()),
        Stmt::EmitExpr(inner) => ("an expression", inner.span()),
        Stmt::EmitRaw(inner) => ("text", inner.span()),
        Stmt::IfCond(inner) => ("a condition", inner.span()),
    }
}

fn place(span: Span) -> SourcePlace {
    SourcePlace { line: u32::from(span.start_line).max(1), column: u32::from(span.start_col) + 1 }
}

fn expression(source: &Expr<'_>, columns: &Columns) -> TemplateExpression {
    let kind = kind(source, columns).unwrap_or_else(|| ExpressionKind::Other { what: other(source) });
    TemplateExpression { kind, place: place(source.span()) }
}

fn boxed(source: &Expr<'_>, columns: &Columns) -> Box<TemplateExpression> {
    Box::new(expression(source, columns))
}

/// `None` for what has no form of its own.
fn kind(source: &Expr<'_>, columns: &Columns) -> Option<ExpressionKind> {
    let both = |left: &Expr<'_>, right: &Expr<'_>| (boxed(left, columns), boxed(right, columns));
    Some(match source {
        Expr::Var(var) if !matches!(var.id, "row" | "record") => {
            ExpressionKind::Column(columns.position(var.id).map(|_| var.id.to_owned())?)
        }
        Expr::Const(constant) => match constant.value.kind() {
            ValueKind::String => ExpressionKind::Text(constant.value.as_str()?.to_owned()),
            ValueKind::Bool => ExpressionKind::Bool(constant.value.is_true()),
            ValueKind::Number if constant.value.is_integer() => ExpressionKind::Integer(integer(source)?),
            _ => return None,
        },
        Expr::GetAttr(get) => looked_up(&get.expr, get.name, columns)?,
        Expr::GetItem(get) => looked_up(&get.expr, get.subscript_expr.as_const()?.as_str()?, columns)?,
        Expr::Filter(filter) => {
            let arguments: Option<Vec<_>> = filter
                .args
                .iter()
                .map(|argument| match argument {
                    CallArg::Pos(argument) => Some(expression(argument, columns)),
                    _ => None,
                })
                .collect();
            let value = boxed(filter.expr.as_ref()?, columns);
            ExpressionKind::Filter { name: filter.name.to_owned(), value, arguments: arguments? }
        }
        Expr::Slice(slice) if slice.step.is_none() => {
            let bound = |bound: &Expr<'_>| integer(bound).and_then(|bound| u32::try_from(bound).ok());
            ExpressionKind::Slice {
                value: boxed(&slice.expr, columns),
                start: slice.start.as_ref().map_or(Some(0), bound)?,
                stop: match &slice.stop {
                    Some(stop) => Some(bound(stop)?),
                    None => None,
                },
            }
        }
        Expr::UnaryOp(unary) if matches!(unary.op, UnaryOpKind::Not) => {
            ExpressionKind::Not(boxed(&unary.expr, columns))
        }
        Expr::BinOp(binary) => binary_kind(binary, columns)?,
        Expr::Compare(compare) => match compare.ops.as_slice() {
            [ast::CompareOp { op: CompareOpKind::Eq, expr }] => {
                let (left, right) = both(&compare.expr, expr);
                ExpressionKind::Equal(left, right)
            }
            [ast::CompareOp { op: CompareOpKind::Ne, expr }] => {
                let (left, right) = both(&compare.expr, expr);
                let kind = ExpressionKind::Equal(left, right);
                ExpressionKind::Not(Box::new(TemplateExpression { kind, place: place(source.span()) }))
            }
            _ => return None,
        },
        Expr::IfExpr(choice) => {
            let (then, otherwise) = both(&choice.true_expr, choice.false_expr.as_ref()?);
            ExpressionKind::If { condition: boxed(&choice.test_expr, columns), then, otherwise }
        }
        _ => return None,
    })
}

fn binary_kind(binary: &ast::Spanned<ast::BinOp<'_>>, columns: &Columns) -> Option<ExpressionKind> {
    let (left, right) = (boxed(&binary.left, columns), boxed(&binary.right, columns));
    Some(match binary.op {
        BinOpKind::Concat => ExpressionKind::Concat(left, right),
        BinOpKind::ScAnd => ExpressionKind::And(left, right),
        BinOpKind::ScOr => ExpressionKind::Or(left, right),
        BinOpKind::Eq => ExpressionKind::Equal(left, right),
        BinOpKind::Ne => {
            let kind = ExpressionKind::Equal(left, right);
            ExpressionKind::Not(Box::new(TemplateExpression { kind, place: place(binary.span()) }))
        }
        _ => return None,
    })
}

fn integer(source: &Expr<'_>) -> Option<i64> {
    i64::try_from(source.as_const()?).ok()
}

/// `row["…"]`, `row.…`, `record.…`.
fn looked_up(of: &Expr<'_>, name: &str, columns: &Columns) -> Option<ExpressionKind> {
    let Expr::Var(var) = of else { return None };
    match (var.id, name) {
        ("row", name) => columns.position(name).map(|_| ExpressionKind::Column(name.to_owned())),
        ("record", "key") => Some(ExpressionKind::Key),
        ("record", "index") => Some(ExpressionKind::Index),
        _ => None,
    }
}

/// What an expression that has no form in the tree is called.
fn other(source: &Expr<'_>) -> &'static str {
    match source {
        Expr::Call(_) => "a call",
        Expr::Test(_) => "a test",
        Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => "a list",
        Expr::GetAttr(_) | Expr::GetItem(_) => "a look into a value",
        Expr::Slice(_) => "a slice with a step or from the end",
        Expr::BinOp(binary)
            if matches!(binary.op, BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte | BinOpKind::In) =>
        {
            "a comparison other than == and !="
        }
        Expr::Compare(_) => "a comparison other than == and !=",
        Expr::UnaryOp(_) | Expr::BinOp(_) => "arithmetic",
        Expr::IfExpr(_) => "a choice without else",
        Expr::Filter(_) => "a filter with named arguments",
        Expr::Var(_) => "a variable",
        Expr::Const(_) => "a constant that is neither text nor a whole number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(source: &str) -> Vec<TemplateNode> {
        let columns = Columns::new(["a", "本文 1", "row"].map(str::to_owned).to_vec()).unwrap();
        Template::syntax("prompt template", source, &columns).unwrap()
    }

    fn only(source: &str) -> ExpressionKind {
        match tree(source).as_slice() {
            [TemplateNode::Print(expression)] => expression.kind.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn placeholders_are_columns_in_every_spelling() {
        assert_eq!(only("{{ a }}"), ExpressionKind::Column("a".into()));
        assert_eq!(only("{{ row.a }}"), ExpressionKind::Column("a".into()));
        assert_eq!(only("{{ row['本文\\u0020' ~ '1'] }}"), ExpressionKind::Column("本文 1".into()));
        assert_eq!(only("{{ row['row'] }}"), ExpressionKind::Column("row".into()));
        assert_eq!(only("{{ record.key }}"), ExpressionKind::Key);
        assert_eq!(only("{{ record['index'] }}"), ExpressionKind::Index);
    }

    #[test]
    fn white_space_control_and_raw_blocks_are_text() {
        assert_eq!(tree("x \n{%- raw %}{{ y }}{% endraw -%}\n z\n"), [TemplateNode::Text("x{{ y }}z\n".into())]);
        assert_eq!(tree("{# note #}"), []);
    }

    #[test]
    fn what_has_no_form_is_named_with_its_place() {
        let place = SourcePlace { line: 2, column: 4 };
        assert_eq!(tree("x\n{% for c in a %}{{ c }}{% endfor %}")[1], TemplateNode::Other { what: "a loop", place });
        for (source, what) in [
            ("{{ range(3) }}", "a call"),
            ("{{ a is none }}", "a test"),
            ("{{ a[0] }}", "a look into a value"),
            ("{{ a[-2:] }}", "a slice with a step or from the end"),
            ("{{ a + 1 }}", "arithmetic"),
            ("{{ a < 1 }}", "a comparison other than == and !="),
            ("{{ 'x' if a }}", "a choice without else"),
            ("{{ a | default(value='x') }}", "a filter with named arguments"),
            ("{{ 1.5 }}", "a constant that is neither text nor a whole number"),
        ] {
            assert_eq!(only(source), ExpressionKind::Other { what }, "{source}");
        }
    }
}
