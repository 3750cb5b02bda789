//! What the demo's store sells, as tables: one [`Shelf`] a category with its brands, kinds, sizes
//! and prices. The brands are invented.

/// One category and what stands there.
pub(super) struct Shelf {
    /// From the widest category to the narrowest.
    pub path: &'static [&'static str],
    /// Aisle.
    pub aisle: u8,
    /// Days after which a household of two buys it again.
    pub every: f32,
    /// Cheapest and dearest, in cents.
    pub price: (i64, i64),
    /// Sizes; the price grows with the place in this list.
    pub sizes: &'static [&'static str],
    /// Brands; the first ones sell more.
    pub brands: &'static [&'static str],
    /// Kinds; the first ones sell more. `kind|size` comes in that size only.
    pub kinds: &'static [&'static str],
    /// Marks: `v` vegan, `o` half the brands are organic, `a` adults only, `s` sensitive, `S` summer,
    /// `W` winter, `X` the weeks before Christmas, `k` sold by the kilogram.
    pub marks: &'static str,
    /// How many households buy it at all, 0..1.
    pub reach: f32,
}

macro_rules! shelves {
    ($( $path:expr, $aisle:expr, $every:expr, $price:expr, $sizes:expr, $brands:expr, $kinds:expr, $marks:expr, $reach:expr; )*) => {
        &[$( Shelf { path: &$path, aisle: $aisle, every: $every, price: $price, sizes: &$sizes,
                     brands: &$brands, kinds: &$kinds, marks: $marks, reach: $reach } ),*]
    };
}

#[rustfmt::skip]
pub(super) const SHELVES: &[Shelf] = shelves! {
    ["Fruit and vegetables", "Fruit", "Apples and pears"], 1, 8.0, (199, 399), ["loose"], ["Hofwald", "Talgarten"], ["Apples, sweet", "Apples, tart", "Pears", "Apples, small"], "vok", 0.8;
    ["Fruit and vegetables", "Fruit", "Bananas"], 1, 6.0, (129, 219), ["loose"], ["Solmara", "Talgarten"], ["Bananas", "Small bananas"], "vok", 0.85;
    ["Fruit and vegetables", "Fruit", "Berries and citrus"], 1, 11.0, (189, 499), ["250 g", "500 g"], ["Solmara", "Hofwald", "Beerenbach"], ["Strawberries", "Blueberries", "Oranges", "Lemons", "Mandarins"], "vS", 0.7;
    ["Fruit and vegetables", "Vegetables", "Tomatoes and peppers"], 1, 6.0, (149, 399), ["500 g"], ["Talgarten", "Glashaus Nord"], ["Tomatoes on the vine", "Cherry tomatoes", "Red peppers", "Cucumber"], "vo", 0.85;
    ["Fruit and vegetables", "Vegetables", "Roots and potatoes"], 1, 12.0, (119, 349), ["1 kg", "2 kg"], ["Hofwald", "Talgarten"], ["Carrots", "Waxy potatoes", "Floury potatoes", "Onions", "Beetroot"], "vo", 0.8;
    ["Fruit and vegetables", "Vegetables", "Salad and herbs"], 1, 6.0, (99, 279), ["1 piece"], ["Glashaus Nord", "Talgarten"], ["Lettuce", "Rocket", "Basil in a pot", "Parsley", "Spinach"], "vS", 0.7;
    ["Bread and bakery", "Bread", "Loaves"], 2, 4.0, (249, 549), ["500 g", "1 kg"], ["Steinofen Lenz", "Muehlenhof", "Kornkammer"], ["Rye sourdough", "Wheat farmhouse loaf", "Spelt loaf", "Whole-grain loaf"], "vo", 0.9;
    ["Bread and bakery", "Bread", "Rolls and toast"], 2, 5.0, (119, 329), ["6 pieces", "500 g"], ["Muehlenhof", "Steinofen Lenz"], ["Wheat rolls|6 pieces", "Seeded rolls|4 pieces", "Toast|500 g", "Pretzels|4 pieces"], "v", 0.75;
    ["Bread and bakery", "Cake", "Fine pastry"], 2, 12.0, (189, 599), ["300 g", "450 g"], ["Konditorei Ambros", "Muehlenhof"], ["Butter croissants", "Marble cake", "Nut plait", "Apple strudel"], "", 0.5;
    ["Dairy and eggs", "Milk", "Fresh milk"], 3, 5.0, (109, 189), ["1 l"], ["Almgrund", "Weidetal", "Hellenhof"], ["Whole milk", "Low-fat milk", "Lactose-free milk"], "o", 0.8;
    ["Dairy and eggs", "Milk", "Plant drinks"], 3, 7.0, (149, 279), ["1 l"], ["Haferwerk", "Grainwell"], ["Oat drink", "Oat drink barista", "Almond drink", "Soy drink"], "vo", 0.35;
    ["Dairy and eggs", "Yoghurt", "Natural yoghurt"], 3, 6.0, (79, 299), ["150 g", "500 g"], ["Almgrund", "Weidetal"], ["Natural yoghurt", "Greek-style yoghurt", "Skyr", "Kefir"], "o", 0.7;
    ["Dairy and eggs", "Yoghurt", "Fruit yoghurt"], 3, 8.0, (69, 249), ["150 g", "4 x 125 g"], ["Weidetal", "Almgrund", "Fruchtinsel"], ["Strawberry yoghurt", "Vanilla yoghurt", "Peach yoghurt"], "", 0.45;
    ["Dairy and eggs", "Cheese", "Hard cheese"], 3, 11.0, (229, 699), ["200 g", "400 g"], ["Bergsennerei", "Hellenhof", "Casa Lucento"], ["Mountain cheese, mild", "Mountain cheese, aged", "Gouda slices", "Grated hard cheese"], "", 0.75;
    ["Dairy and eggs", "Cheese", "Soft cheese"], 3, 11.0, (149, 449), ["150 g", "200 g"], ["Casa Lucento", "Weidetal", "Clairmont"], ["Mozzarella", "Feta-style cheese", "Camembert", "Cream cheese with herbs"], "", 0.65;
    ["Dairy and eggs", "Butter and eggs", "Butter and eggs"], 3, 10.0, (179, 429), ["250 g", "10 pieces"], ["Almgrund", "Hellenhof"], ["Butter|250 g", "Salted butter|250 g", "Free-range eggs|10 pieces", "Whipping cream|200 ml"], "o", 0.9;
    ["Pantry", "Pasta and rice", "Pasta"], 4, 13.0, (89, 349), ["500 g", "1 kg"], ["Pastificio Orlena", "Tre Colli", "Kornkammer"], ["Spaghetti", "Penne", "Fusilli", "Tagliatelle", "Whole-grain penne"], "vo", 0.85;
    ["Pantry", "Pasta and rice", "Rice and grains"], 4, 25.0, (149, 429), ["500 g", "1 kg"], ["Reisfeld", "Kornkammer"], ["Basmati rice", "Risotto rice", "Couscous", "Red lentils", "Quinoa"], "vo", 0.6;
    ["Pantry", "Sauces", "Pasta sauces"], 4, 16.0, (149, 449), ["190 g", "400 g"], ["Tre Colli", "Pastificio Orlena"], ["Tomato and basil sauce", "Arrabbiata", "Green pesto", "Red pesto"], "v", 0.55;
    ["Pantry", "Tins and jars", "Tinned vegetables"], 4, 20.0, (69, 229), ["400 g", "800 g"], ["Glashaus Nord", "Tre Colli"], ["Chopped tomatoes", "Chickpeas", "Kidney beans", "Sweetcorn"], "v", 0.65;
    ["Pantry", "Soups", "Soups"], 4, 18.0, (119, 349), ["400 ml", "1 l"], ["Suppenkelle", "Hofwald"], ["Tomato soup", "Pumpkin soup", "Lentil stew", "Vegetable stock|1 l"], "vW", 0.35;
    ["Pantry", "Oil and vinegar", "Oil and vinegar"], 4, 45.0, (199, 1199), ["500 ml", "750 ml"], ["Olivella", "Tre Colli", "Sonnenmuehle"], ["Olive oil, extra virgin", "Sunflower oil", "Rapeseed oil", "Balsamic vinegar"], "vo", 0.6;
    ["Pantry", "Baking", "Baking"], 4, 28.0, (59, 329), ["500 g", "1 kg"], ["Muehlenhof", "Backfee"], ["Wheat flour", "Spelt flour", "Sugar", "Ground hazelnuts", "Vanilla sugar|40 g"], "vX", 0.55;
    ["Breakfast", "Cereals", "Muesli and oats"], 5, 14.0, (119, 549), ["500 g", "750 g"], ["Kornkammer", "Grainwell", "Morgenrot"], ["Rolled oats", "Fruit muesli", "Crunchy muesli with nuts", "Cornflakes"], "vo", 0.6;
    ["Breakfast", "Spreads", "Jam and honey"], 5, 25.0, (189, 649), ["250 g", "450 g"], ["Beerenbach", "Imkerei Wolff", "Fruchtinsel"], ["Strawberry jam", "Apricot jam", "Blossom honey", "Forest honey"], "o", 0.55;
    ["Breakfast", "Spreads", "Nut spreads"], 5, 24.0, (249, 649), ["250 g", "400 g"], ["Nussbaum & Co", "Morgenrot"], ["Hazelnut cocoa spread", "Peanut butter", "Almond butter"], "v", 0.4;
    ["Drinks", "Tea", "Green tea"], 6, 24.0, (299, 1090), ["20 bags", "100 g"], ["Teehaus Lindqvist", "Nebelgarten", "Kirimori"], ["Sencha", "Jasmine green tea", "Matcha|30 g", "Genmaicha"], "vo", 0.3;
    ["Drinks", "Tea", "Black tea"], 6, 26.0, (249, 890), ["25 bags", "100 g"], ["Teehaus Lindqvist", "Nebelgarten", "Harrowby"], ["Darjeeling", "Assam", "Earl Grey", "English breakfast tea"], "vo", 0.35;
    ["Drinks", "Tea", "Herbal tea"], 6, 22.0, (199, 599), ["20 bags"], ["Nebelgarten", "Kraeuterhof", "Teehaus Lindqvist"], ["Peppermint tea", "Camomile tea", "Rooibos", "Ginger and lemon tea", "Fennel tea"], "voW", 0.45;
    ["Drinks", "Coffee", "Whole beans"], 6, 18.0, (499, 1899), ["250 g", "500 g", "1 kg"], ["Roesterei Karst", "Caffe Valbruna", "Morgenrot"], ["Espresso beans", "Crema beans", "Ethiopian beans", "Decaffeinated beans"], "vo", 0.4;
    ["Drinks", "Coffee", "Ground and capsules"], 6, 15.0, (349, 899), ["250 g", "500 g"], ["Caffe Valbruna", "Roesterei Karst"], ["Ground filter coffee|500 g", "Ground espresso|250 g", "Capsules, lungo|10 capsules"], "v", 0.4;
    ["Drinks", "Water and soft drinks", "Water"], 7, 6.0, (49, 599), ["1.5 l", "6 x 1.5 l"], ["Quellenhain", "Felsbrunn"], ["Still water", "Sparkling water", "Medium water"], "v", 0.55;
    ["Drinks", "Water and soft drinks", "Juice and lemonade"], 7, 8.0, (129, 399), ["0.5 l", "1 l"], ["Beerenbach", "Solmara", "Fizzwerk"], ["Apple juice", "Orange juice", "Elderflower lemonade", "Cola"], "vS", 0.6;
    ["Snacks", "Sweets", "Chocolate"], 8, 8.0, (99, 449), ["100 g", "200 g"], ["Chocolaterie Maret", "Kakaowerk", "Nussbaum & Co"], ["Dark chocolate 70%", "Milk chocolate", "Hazelnut chocolate", "White chocolate"], "oX", 0.65;
    ["Snacks", "Sweets", "Biscuits and gingerbread"], 8, 14.0, (149, 449), ["200 g", "300 g"], ["Backfee", "Konditorei Ambros"], ["Butter biscuits", "Oat biscuits", "Gingerbread", "Waffles"], "X", 0.5;
    ["Snacks", "Savoury", "Crisps and nuts"], 8, 9.0, (119, 549), ["150 g", "200 g"], ["Knusperwerk", "Nussbaum & Co"], ["Salted crisps", "Paprika crisps", "Cashews, roasted", "Trail mix", "Pretzel sticks"], "v", 0.6;
    ["Frozen", "Meals", "Frozen meals"], 9, 13.0, (249, 699), ["350 g", "600 g"], ["Eiszeit", "Casa Lucento"], ["Pizza Margherita", "Vegetable lasagne", "Spinach pizza", "Fish fingers|450 g"], "", 0.5;
    ["Frozen", "Vegetables", "Frozen vegetables"], 9, 18.0, (149, 399), ["450 g", "1 kg"], ["Eiszeit", "Hofwald"], ["Peas", "Spinach leaves", "Mixed berries", "Vegetable stir-fry"], "vo", 0.55;
    ["Frozen", "Ice cream", "Ice cream"], 9, 12.0, (249, 699), ["500 ml", "4 pieces"], ["Gelateria Nevosa", "Eiszeit"], ["Vanilla ice cream", "Chocolate ice cream", "Lemon sorbet", "Strawberry ice cream"], "S", 0.5;
    ["Household", "Cleaning", "Cleaning"], 10, 35.0, (129, 549), ["500 ml", "1 l"], ["Klarblick", "Frischwerk"], ["All-purpose cleaner", "Washing-up liquid", "Glass cleaner", "Bathroom cleaner"], "v", 0.6;
    ["Household", "Laundry", "Laundry"], 10, 32.0, (299, 1099), ["1 l", "2 l"], ["Frischwerk", "Klarblick"], ["Liquid detergent", "Detergent for delicates|1 l", "Fabric softener|1 l"], "v", 0.6;
    ["Household", "Paper", "Paper"], 10, 20.0, (179, 799), ["4 rolls", "8 rolls"], ["Weichblatt", "Klarblick"], ["Toilet paper|8 rolls", "Kitchen rolls|4 rolls", "Tissues|10 packs"], "v", 0.75;
    ["Pets", "Cats", "Cat food"], 11, 5.0, (69, 999), ["85 g", "400 g"], ["Samtpfote", "Katerkost"], ["Cat food with chicken", "Cat food with salmon", "Dry cat food|2 kg", "Cat litter|10 l"], "", 0.22;
    ["Pets", "Dogs", "Dog food"], 11, 8.0, (129, 1999), ["400 g", "800 g"], ["Bellmann", "Waldlaeufer"], ["Dog food with beef", "Dog food with poultry", "Dry dog food|3 kg", "Chew sticks|200 g"], "", 0.2;
    ["Wine and beer", "Wine", "Wine"], 12, 12.0, (499, 1890), ["0.75 l"], ["Weingut Sonnfels", "Cantina Orvela", "Domaine Clairac"], ["Riesling", "Pinot noir", "Rose", "Primitivo"], "va", 0.4;
    ["Wine and beer", "Beer", "Beer"], 12, 8.0, (99, 1499), ["0.5 l", "6 x 0.5 l"], ["Brauhaus Falk", "Nordkap"], ["Pilsner", "Wheat beer", "Pale ale"], "va", 0.4;
    ["Health and care", "Health", "Remedies"], 12, 40.0, (299, 1299), ["20 pieces", "50 ml"], ["Apotheca", "Vitalis"], ["Throat lozenges|20 pieces", "Heartburn tablets|20 pieces", "Sleep drops|50 ml", "Vitamin D|60 tablets"], "sW", 0.3;
    ["Health and care", "Intimate", "Intimate care"], 12, 30.0, (199, 999), ["12 pieces", "20 pieces"], ["Delia", "Apotheca"], ["Tampons|20 pieces", "Sanitary pads|14 pieces", "Condoms|12 pieces", "Pregnancy test|1 piece"], "s", 0.3;
    ["Health and care", "Body", "Body care"], 12, 30.0, (149, 699), ["250 ml", "300 ml"], ["Lavandine", "Meerkind"], ["Shower gel", "Shampoo", "Hand cream|75 ml", "Toothpaste|75 ml"], "v", 0.65;
};
