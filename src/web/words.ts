/** Every word that the pages show or say, so that they are changed, checked and translated in one place. */
export const words = {
  product: 'Seatkeeper',
  pages: { mapping: 'Licence Mapping' },
  shell: {
    skip: 'Skip to the content',
    navigation: 'Pages',
    loading: 'Loading…',
    noSuchPage: 'There is no page here.',
    toMapping: 'To Licence Mapping',
    failed: 'This page failed. Load it again; if it stays so, tell whoever runs your Seatkeeper.',
    reload: 'Load again',
    signedInAs: (role: string) => `Signed in as ${role.toLowerCase()}`,
    signOut: 'Sign out',
  },
  signIn: {
    title: 'Sign in',
    key: 'Key or access token',
    hint: 'Open the link that the server printed when it started, or paste a key here. It is exchanged for a cookie that no script can read.',
    submit: 'Sign in',
    ended: 'Your sign-in has ended. Sign in again.',
    wrong: 'This key is wrong, has expired or was revoked.',
    unreachable: 'The server cannot be reached. Try again in a moment.',
  },
  link: {
    live: 'Live',
    reconnecting: (at: string) => `Reconnecting – as of ${at}`,
    connecting: 'Connecting…',
    asOf: (at: string) => `As of ${at}`,
  },
} as const;
