"""Small charts as inline SVG: pure functions from values to text; the page's styles colour them."""
