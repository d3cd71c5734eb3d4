/** How long a page is where the client does not say it. */
export const defaultPage = 50;
export const maxPage = 100;
