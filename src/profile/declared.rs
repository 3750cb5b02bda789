//! What members say of themselves: declared by them, shown to them, corrected by them, never inferred.
//! Pure.
//!
//! What always holds: a fact about what somebody does not eat or drink only ever leaves products out. It
//! is never a reason on a screen, because others can see that. What somebody likes raises products, and
//! may be named. What the catalogue does not say of a product is taken for nothing: a fact is a wish for
//! suggestions, and no promise about what is in a product.

use std::fmt;
use std::str::FromStr;

/// Facts that one member may declare.
pub const MOST: usize = 24;
/// Longest name of a category or brand, in characters.
const LONGEST: usize = 80;

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Eats no meat and no fish.
    Vegetarian,
    /// Eats nothing that comes of animals.
    Vegan,
    /// Drinks no alcohol.
    NoAlcohol,
    /// Eats no gluten.
    NoGluten,
    /// Takes no lactose.
    NoLactose,
    /// Eats no nuts.
    NoNuts,
    /// Prefers what is organic.
    Organic,
    /// Likes a category, at any level of the catalogue.
    Category(String),
    /// Likes a brand.
    Brand(String),
}

/// What a fact is about, for a page that lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is not eaten or drunk.
    LeavesOut,
    /// What is liked.
    Likes,
}

impl Fact {
    /// Every fact that needs no name.
    pub const PLAIN: [Fact; 7] = [
        Fact::Vegetarian,
        Fact::Vegan,
        Fact::NoAlcohol,
        Fact::NoGluten,
        Fact::NoLactose,
        Fact::NoNuts,
        Fact::Organic,
    ];

    /// Whether it leaves products out or raises them.
    pub fn kind(&self) -> Kind {
        match self {
            Fact::Organic | Fact::Category(_) | Fact::Brand(_) => Kind::Likes,
            _ => Kind::LeavesOut,
        }
    }

    /// Attributes of products that this fact leaves out, as `name = value`.
    fn against(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Fact::Vegetarian => &[("vegetarian", "no")],
            Fact::Vegan => &[("vegan", "no"), ("vegetarian", "no")],
            Fact::NoAlcohol => &[("alcohol", "yes")],
            Fact::NoGluten => &[("gluten", "yes"), ("gluten-free", "no")],
            Fact::NoLactose => &[("lactose", "yes"), ("lactose-free", "no")],
            Fact::NoNuts => &[("nuts", "yes")],
            Fact::Organic | Fact::Category(_) | Fact::Brand(_) => &[],
        }
    }

    /// Whether the catalogue says of a product with these attributes that it is not for this member.
    pub fn leaves_out(&self, attributes: &[(String, String)]) -> bool {
        self.against().iter().any(|against| has(attributes, *against))
    }

    /// Whether the member said to like such a product.
    pub fn likes(&self, category: &[String], brand: Option<&str>, attributes: &[(String, String)]) -> bool {
        match self {
            Fact::Organic => has(attributes, ("organic", "yes")),
            Fact::Category(liked) => category.contains(liked),
            Fact::Brand(liked) => brand == Some(liked),
            _ => false,
        }
    }
}

fn has(attributes: &[(String, String)], (name, value): (&str, &str)) -> bool {
    attributes.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v.eq_ignore_ascii_case(value))
}

/// The word by which it is kept and asked for: `vegan`, `category:Tea`, `brand:Hill`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fact::Vegetarian => "vegetarian",
            Fact::Vegan => "vegan",
            Fact::NoAlcohol => "no-alcohol",
            Fact::NoGluten => "no-gluten",
            Fact::NoLactose => "no-lactose",
            Fact::NoNuts => "no-nuts",
            Fact::Organic => "organic",
            Fact::Category(name) => return write!(f, "category:{name}"),
            Fact::Brand(name) => return write!(f, "brand:{name}"),
        })
    }
}

/// Not a word that [`Fact`] is written as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no fact that a member can declare; there are vegetarian, vegan, no-alcohol, no-gluten, no-lactose, \
     no-nuts, organic, category:NAME and brand:NAME"
)]
pub struct UnknownFact(String);

impl FromStr for Fact {
    type Err = UnknownFact;

    fn from_str(word: &str) -> Result<Fact, UnknownFact> {
        if let Some(plain) = Fact::PLAIN.into_iter().find(|fact| fact.to_string() == word) {
            return Ok(plain);
        }
        let unknown = || UnknownFact(word.chars().take(LONGEST).collect());
        let (kind, name) = word.split_once(':').ok_or_else(unknown)?;
        let fits = (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        match kind {
            "category" if fits => Ok(Fact::Category(name.to_owned())),
            "brand" if fits => Ok(Fact::Brand(name.to_owned())),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attributes(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn what_the_catalogue_marks_is_left_out_and_what_it_does_not_say_stays() {
        assert!(Fact::Vegan.leaves_out(&attributes(&[("Vegetarian", "NO")])));
        assert!(Fact::NoAlcohol.leaves_out(&attributes(&[("alcohol", "yes")])));
        assert!(!Fact::Vegan.leaves_out(&attributes(&[("vegan", "yes"), ("size", "no")])));
        assert!(Fact::PLAIN.iter().all(|fact| !fact.leaves_out(&[])));
    }

    #[test]
    fn who_likes_something_likes_products_of_it() {
        let (path, none) = (["Drinks".to_owned(), "Tea".to_owned()], attributes(&[]));
        assert!(Fact::Category("Tea".into()).likes(&path, None, &none));
        assert!(Fact::Category("Drinks".into()).likes(&path, None, &none));
        assert!(!Fact::Brand("Hill".into()).likes(&path, None, &none));
        assert!(Fact::Brand("Hill".into()).likes(&path, Some("Hill"), &none));
        assert!(Fact::Organic.likes(&path, None, &attributes(&[("organic", "yes")])));
    }

    #[test]
    fn a_diet_is_never_what_raises_a_product() {
        let all = attributes(&[("vegan", "yes"), ("vegetarian", "yes"), ("lactose-free", "yes")]);
        for fact in Fact::PLAIN.into_iter().filter(|f| f.kind() == Kind::LeavesOut) {
            assert!(!fact.likes(&[], None, &all), "{fact}");
        }
    }

    proptest! {
        #[test]
        fn a_word_reads_back_as_the_fact_and_no_text_panics(name in "[^\\pC]{1,80}", any in "\\PC{0,200}") {
            let named = [Fact::Category(name.clone()), Fact::Brand(name)];
            for fact in Fact::PLAIN.into_iter().chain(named) {
                prop_assert_eq!(fact.to_string().parse::<Fact>(), Ok(fact));
            }
            let _ = any.parse::<Fact>();
        }
    }
}
