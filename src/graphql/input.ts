import { z } from 'zod';

/** 1 … 200 characters after trimming, and none that cannot be shown or stored: control characters, lone surrogates. */
export const text = z
  .string()
  .trim()
  .min(1, 'Text is not empty.')
  .refine((value) => Array.from(value).length <= 200, 'Text is at most 200 characters.')
  .refine((value) => !/\p{Cc}|\p{Cs}/u.test(value), 'Text has no control characters.');

/** The same, where nothing need be given. */
export const optionalText = text.nullish();

/** A list of licence codes that a client names: bounded, because each is looked up. */
export const codes = z.array(text).max(100, 'At most 100 licences at once.').nullish();
