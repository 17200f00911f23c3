// The texts of the page. They come with the document, from pipeline/serve/page/strings.py.

const texts = JSON.parse(document.getElementById("strings").textContent);

/**
 * Look up a text and fill in its placeholders.
 *
 * @param {string} name Name of the text.
 * @param {Object<string, string|number>} [values] Values of the placeholders, as {count} in "{count} moments".
 */
export function text(name, values = {}) {
  const found = texts[name];
  if (found === undefined) throw new Error(`there is no text ${name}`);
  return found.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

/** Look up a text with a number, in the singular ("name_one") or the plural ("name_many"). */
export function counted(name, count, values = {}) {
  return text(`${name}_${count === 1 ? "one" : "many"}`, { count: count.toLocaleString("en"), ...values });
}

/** Look up a text whose name comes from the server, and has another where the page does not know it. */
export function textOr(name, otherwise) {
  return texts[name] ?? otherwise;
}
