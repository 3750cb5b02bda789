//! A believable shop of our own making: products, members with habits, and rendered shoppers who
//! walk into the frames of two cameras. Everything from a fixed seed; nobody here exists.
