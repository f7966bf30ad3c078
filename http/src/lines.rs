//! Lines of products and quantities, in every spelling that clients use.

use serde::Deserialize;
use stockade_domain::{ProductId, Quantity, order::LineQuantity};
use utoipa::ToSchema;

use crate::{openapi::kinds, problem::Problem, refusals::Named};

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = Line,
    examples(json!({"product_id": 1, "quantity": 2}))
)]
pub(crate) struct LineBody {
    #[schema(value_type = kinds::Id)]
    product_id: u64,
    #[schema(value_type = kinds::Quantity)]
    quantity: Quantity,
}

/// A line as other systems spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = OtherLine,
    examples(json!({"id": 1, "quantity": 2}))
)]
pub(crate) struct OtherLineBody {
    #[schema(value_type = kinds::Id)]
    id: u64,
    #[schema(value_type = kinds::Quantity)]
    quantity: Quantity,
}

/// The lines of a body, in one of its spellings.
#[derive(Debug, Default)]
pub(crate) struct LinesBody {
    /// Canonical.
    pub(crate) lines: Option<Vec<LineBody>>,
    /// `products: [{id, quantity}]`.
    pub(crate) products: Option<Vec<OtherLineBody>>,
    /// One line, written flat.
    pub(crate) product_id: Option<u64>,
    /// How many of it.
    pub(crate) quantity: Option<Quantity>,
}

/// Lines, and how the body wrote them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// For the engine.
    pub(crate) quantities: Vec<LineQuantity>,
    spelling: Spelling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Lines,
    Products,
    Flat,
}

impl From<LineBody> for LineQuantity {
    fn from(line: LineBody) -> Self {
        Self { product: ProductId(line.product_id), quantity: line.quantity }
    }
}

impl LinesBody {
    /// The lines, if they are written in exactly one spelling.
    pub(crate) fn read(self) -> Result<Lines, Problem> {
        let flat = self.product_id.is_some() || self.quantity.is_some();
        let beside = |field: &str| {
            Err(Problem::field(
                format!("/{field}"),
                "cannot stand beside another spelling of the lines",
            ))
        };
        match (self.lines, self.products) {
            (Some(_), Some(_)) => beside("products"),
            (Some(_), _) | (_, Some(_)) if self.product_id.is_some() => beside("product_id"),
            (Some(_), _) | (_, Some(_)) if flat => beside("quantity"),
            (Some(lines), None) => {
                let quantities = lines.into_iter().map(Into::into).collect();
                Ok(Lines { quantities, spelling: Spelling::Lines })
            }
            (None, Some(products)) => {
                let line = |OtherLineBody { id, quantity }| LineQuantity {
                    product: ProductId(id),
                    quantity,
                };
                let quantities = products.into_iter().map(line).collect();
                Ok(Lines { quantities, spelling: Spelling::Products })
            }
            (None, None) if !flat => Err(Problem::field("/lines", "is missing")),
            (None, None) => {
                let missing = |field: &str| Problem::field(format!("/{field}"), "is missing");
                let product =
                    self.product_id.map(ProductId).ok_or_else(|| missing("product_id"))?;
                let quantity = self.quantity.ok_or_else(|| missing("quantity"))?;
                let quantities = vec![LineQuantity { product, quantity }];
                Ok(Lines { quantities, spelling: Spelling::Flat })
            }
        }
    }
}

impl Lines {
    /// Where the body names what a refusal is about.
    pub(crate) fn locate(&self, named: Named<'_>) -> Option<String> {
        match named {
            Named::Thing("product", id) => {
                let at = self.quantities.iter().position(|line| line.product.0 == id)?;
                Some(match self.spelling {
                    Spelling::Lines => format!("/lines/{at}/product_id"),
                    Spelling::Products => format!("/products/{at}/id"),
                    Spelling::Flat => "/product_id".to_owned(),
                })
            }
            Named::Thing(..) => None,
            Named::Field(field) => Some(match (field.strip_prefix("lines"), self.spelling) {
                (Some(rest), Spelling::Products) => format!("/products{rest}"),
                (Some(rest), Spelling::Flat) => {
                    rest.strip_prefix("/0").unwrap_or("/quantity").to_owned()
                }
                _ => format!("/{field}"),
            }),
        }
    }
}
