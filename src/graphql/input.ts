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

/** What a security key answered, as JSON text: an RSA key's answers have room, and what is parsed has a bound. */
export const keyAnswer = z.string().max(16_384, 'What a security key answers is at most 16,384 characters.');

/** The same, where nothing need be given. */
export const optionalKeyAnswer = keyAnswer.nullish();
