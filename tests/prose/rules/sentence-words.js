"use strict";
// Reports sentences with more words than `max`, in paragraphs, list items and cells of tables.

const { split } = require("sentence-splitter");
const { StringSource } = require("textlint-util-to-string");

module.exports = ({ Syntax, RuleError, report, locator }, { max = 40 } = {}) => {
  const check = (node) => {
    // Code counts as one word, however many it has.
    const replacer = ({ node: part, maskValue }) => (part.type === Syntax.Code ? maskValue("_") : undefined);
    const source = new StringSource(node, { replacer });
    for (const sentence of split(source.toString())) {
      if (sentence.type !== "Sentence") {
        continue;
      }
      const words = sentence.raw.split(/\s+/).filter((word) => /\w/.test(word)).length;
      if (words > max) {
        const start = source.originalIndexFromIndex(sentence.range[0]);
        report(node, new RuleError(`a sentence of ${words} words, at most ${max}`, { padding: locator.at(start) }));
      }
    }
  };
  return { [Syntax.Paragraph]: check, [Syntax.TableCell]: check };
};
