//! Which column holds what: named by the administrator, or recognised by its usual names.

use std::collections::BTreeMap;

/// One thing that a file can say, the usual names of its column, and whether it is needed.
struct Field {
    name: &'static str,
    needed: bool,
    usual: &'static [&'static str],
}

const fn field(name: &'static str, needed: bool, usual: &'static [&'static str]) -> Field {
    Field { name, needed, usual }
}

const SKU: &[&str] = &[
    "sku",
    "stockcode",
    "productid",
    "product",
    "itemcode",
    "itemid",
    "item",
    "articleno",
    "articlenumber",
    "article",
    "artikelnr",
    "artikelnummer",
    "ean",
    "gtin",
    "barcode",
    "upc",
    "plu",
];
const NAME: &[&str] =
    &["name", "productname", "itemname", "description", "title", "bezeichnung", "articlename"];

/// The fields of a receipt file.
const RECEIPTS: &[Field] = &[
    field(
        "receipt",
        true,
        &[
            "receipt",
            "receiptid",
            "receiptno",
            "receiptnumber",
            "invoice",
            "invoiceno",
            "invoicenumber",
            "transaction",
            "transactionid",
            "basketid",
            "order",
            "orderid",
            "orderno",
            "bon",
            "bonnr",
            "belegnr",
        ],
    ),
    field(
        "at",
        true,
        &[
            "at",
            "time",
            "timestamp",
            "datetime",
            "paidat",
            "invoicedate",
            "receiptdate",
            "transactiontimestamp",
            "transactiondate",
            "orderdate",
            "date",
            "datum",
            "zeitpunkt",
        ],
    ),
    field("sku", true, SKU),
    field("quantity", true, &["quantity", "qty", "pieces", "units", "count", "menge", "anzahl"]),
    field("price", true, &["unitprice", "price", "priceperunit", "einzelpreis", "preis"]),
    field(
        "member",
        false,
        &[
            "member",
            "membertoken",
            "token",
            "card",
            "cardno",
            "cardnumber",
            "loyaltycard",
            "loyaltyid",
            "customerid",
            "customer",
            "customerno",
            "householdid",
            "kundennr",
            "kundennummer",
        ],
    ),
    field("name", false, NAME),
];

/// The fields of a catalogue.
const CATALOGUE: &[Field] = &[
    field("sku", true, SKU),
    field("name", false, NAME),
    field("price", false, &["price", "unitprice", "retailprice", "preis", "verkaufspreis"]),
    field("category", false, &["category", "categorypath", "department", "kategorie", "warengruppe"]),
    field("category2", false, &["category2", "subcategory", "productcategory"]),
    field("category3", false, &["category3", "subsubcategory", "producttype"]),
    field("brand", false, &["brand", "marke", "manufacturer"]),
    field("attributes", false, &["attributes", "attribute"]),
    field("stock", false, &["stock", "stocklevel", "instock", "onhand", "bestand"]),
    field("place", false, &["place", "location", "shelf", "aisle", "platz", "regal"]),
    field("withdrawn", false, &["withdrawn", "discontinued", "delisted"]),
    field("age_restricted", false, &["agerestricted", "adultsonly", "18", "over18"]),
    field("sensitive", false, &["sensitive", "intimate", "private"]),
];

/// The kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Products.
    Catalogue,
    /// Receipts, a row a line.
    Receipts,
}

impl Kind {
    fn fields(self) -> &'static [Field] {
        match self {
            Kind::Catalogue => CATALOGUE,
            Kind::Receipts => RECEIPTS,
        }
    }

    /// The names of its fields.
    pub fn field_names(self) -> impl Iterator<Item = &'static str> {
        self.fields().iter().map(|f| f.name)
    }
}

/// Columns as the administrator named them: field to column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMap(pub BTreeMap<String, String>);

/// Where each field stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns(BTreeMap<&'static str, usize>);

impl Columns {
    /// Finds every field's column in `header`: first those named in `map`, then by usual names, of
    /// which an earlier one wins. The error says everything that is wrong, in words.
    pub fn find(kind: Kind, header: &[String], map: &ColumnMap) -> Result<Self, String> {
        let mut columns = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, column) in &map.0 {
            let Some(field) = kind.fields().iter().find(|f| f.name == name) else {
                let near = nearest(name, kind.field_names());
                wrong.push(format!("there is no field \"{name}\"{near}"));
                continue;
            };
            match header.iter().position(|h| h == column) {
                Some(at) => {
                    columns.insert(field.name, at);
                }
                None => {
                    let near = nearest(column, header.iter().map(String::as_str));
                    wrong.push(format!("there is no column \"{column}\" for the field {name}{near}"));
                }
            }
        }
        let plain: Vec<String> = header.iter().map(|h| simplified(h)).collect();
        for field in kind.fields() {
            if map.0.contains_key(field.name) {
                continue;
            }
            let free = |at: &usize| !columns.values().any(|taken| taken == at);
            let found = field.usual.iter().find_map(|u| plain.iter().position(|h| h == u).filter(free));
            match found {
                Some(at) => {
                    columns.insert(field.name, at);
                }
                None if field.needed => wrong.push(format!(
                    "no column for {} is recognised: name it with --map COLUMN={}",
                    field.name, field.name
                )),
                None => {}
            }
        }
        if wrong.is_empty() {
            return Ok(Self(columns));
        }
        wrong.push(format!("the columns are {}", header.join(", ")));
        Err(wrong.join("; "))
    }

    /// The column of a field.
    pub fn of(&self, field: &str) -> Option<usize> {
        self.0.get(field).copied()
    }

    /// `column=field` pairs, as a person reads them.
    pub fn describe(&self, header: &[String]) -> String {
        let pairs = self.0.iter().filter_map(|(f, at)| Some(format!("{}={f}", header.get(*at)?)));
        pairs.collect::<Vec<_>>().join(", ")
    }
}

fn simplified(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn nearest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> String {
    let best = among.map(|w| (strsim::jaro_winkler(word, w), w)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, w)) if likeness > 0.7 => format!(" (did you mean \"{w}\"?)"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn usual_headers_are_recognised() {
        let uci = header("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country");
        let found = Columns::find(Kind::Receipts, &uci, &ColumnMap::default()).unwrap();
        let at: Vec<_> = ["receipt", "sku", "name", "quantity", "at", "price", "member"]
            .iter()
            .map(|f| found.of(f))
            .collect();
        assert_eq!(at, (0..7).map(Some).collect::<Vec<_>>());
        let own = header("sku,name,category,brand,price,stock,place,age_restricted");
        let found = Columns::find(Kind::Catalogue, &own, &ColumnMap::default()).unwrap();
        assert_eq!(found.of("age_restricted"), Some(7));
    }

    #[test]
    fn what_the_administrator_names_comes_first() {
        let map = ColumnMap([("price".to_owned(), "Net".to_owned())].into());
        let columns = header("sku,price,Net");
        assert_eq!(Columns::find(Kind::Catalogue, &columns, &map).unwrap().of("price"), Some(2));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_the_nearest_name() {
        let map =
            ColumnMap([("prize".to_owned(), "P".to_owned()), ("name".to_owned(), "Nmae".to_owned())].into());
        let message = Columns::find(Kind::Receipts, &header("Name,P,Q"), &map).unwrap_err();
        for part in [
            "\"prize\" (did you mean \"price\"?)",
            "did you mean \"Name\"?",
            "--map COLUMN=receipt",
            "Name, P, Q",
        ] {
            assert!(message.contains(part), "{part} not in: {message}");
        }
    }
}
