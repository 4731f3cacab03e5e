// How a test file tells tests/clients/run of its tests: a line for each, `ok`, `failed` or `skipped`, tab, its name.
// What went wrong follows a failed one, indented.

export default async function* report(events) {
  for await (const { type, data } of events) {
    // The tests of a suite are told one by one.
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue;
    if (type === 'test:fail') {
      const cause = data.details.error?.cause ?? data.details.error;
      yield `failed\t${data.name}\n    ${String(cause?.stack ?? cause).replaceAll('\n', '\n    ')}\n`;
    } else if (data.skip !== undefined) {
      yield `skipped\t${data.name}${data.skip ? `: ${data.skip}` : ''}\n`;
    } else {
      yield `ok\t${data.name}\n`;
    }
  }
}
