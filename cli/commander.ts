// What commander is given of things that do not know it.
import { type Command, InvalidArgumentError, Option } from 'commander';

import { BadArgument } from './arguments.js';
import type { OptionSpec } from './options.js';

export function withOptions(command: Command, specs: readonly OptionSpec[]): Command {
  for (const { flags, description, parse, choices, fallback } of specs) {
    const option = new Option(flags, description);
    if (fallback !== undefined) option.default(fallback.value, fallback.shown);
    if (parse !== undefined) option.argParser(forCommander(parse));
    if (choices !== undefined) option.choices(choices);
    command.addOption(option);
  }
  return command;
}

/** What parses an argument says what is wrong with it; commander adds which one it was. */
export function forCommander<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof BadArgument ? new InvalidArgumentError(error.message) : error;
    }
  };
}
