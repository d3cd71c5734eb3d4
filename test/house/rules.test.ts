import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const rules = [...readFileSync('docs/rules.md', 'utf8').matchAll(/^- \*\*([A-Z]\d)\*\*/gm)].map(
  ([, rule]) => rule ?? '',
);

/** The rule numbers that a test's title names: `test('B4 …')`, `test('C1, C2: …')`. */
const named = new Set(
  globSync('test/**/*.test.ts')
    .filter((file) => !file.startsWith('test/house/'))
    .flatMap((file) => [
      ...readFileSync(file, 'utf8').matchAll(
        /\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)?\(\s*['"`]([^'"`]*)/g,
      ),
    ])
    .flatMap(([, title]) => title?.match(/\b[PUBLCTWD]\d\b/g) ?? []),
);

test('docs/rules.md has the rules, all of them', () => {
  const counts = { P: 4, U: 5, B: 7, L: 9, C: 6, T: 3, W: 3, D: 3 };
  const expected = Object.entries(counts).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  expect(rules.toSorted()).toEqual(expected.toSorted());
});

test.each(rules)('%s is named by a test', (rule) => {
  expect(named.has(rule)).toBe(true);
});
