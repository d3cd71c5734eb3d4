/** Every word that the pages show or say, so that they are changed, checked and translated in one place. */
export const words = {
  language: 'en-GB',
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
    openId: 'Sign in with your organisation’s account',
    or: 'or with a key',
    problems: {
      refused: 'Your organisation’s sign-in service refused. Try again, or ask whoever runs it.',
      expired: 'This sign-in took too long, or was used already. Sign in again.',
      unavailable: 'Your organisation’s sign-in service does not answer. Try again in a moment.',
      unknown:
        'You are known to your organisation’s sign-in service, but not here. Ask your administrator for access.',
      'too-long':
        'Your access token is too long for a cookie: ask whoever runs your sign-in service for a shorter one.',
    } as Readonly<Record<string, string>>,
    ended: 'Your sign-in has ended. Sign in again.',
    wrong: 'This key is wrong, has expired or was revoked.',
    usedLink:
      'This link was used already, or another start of the server printed it. Sign in with the operator key, or start the server again for a new link.',
  },
  link: {
    unreachable: 'The server cannot be reached. Try again in a moment.',
    live: 'Live',
    reconnecting: (at: string) => `Reconnecting – as of ${at}`,
    asOf: (at: string) => `As of ${at}`,
  },
  organisation: {
    label: 'Organisation',
    search: 'Search organisations',
    none: 'No organisation is called that.',
    more: 'There are more: search by name.',
    missing: 'There is no such organisation, or it is not yours.',
    nobody: 'There are no organisations yet.',
  },
  mapping: {
    feature: 'Feature licences',
    product: 'Product licences',
    refresh: 'Refresh',
    refreshHint: 'Press Refresh to show what you selected.',
    live: 'Live',
    download: 'Download CSV',
    print: 'Print',
    table: 'Licences of the organisation',
    period: (from: string, until: string, zone: string) => `Billing period ${from} to ${until} (${zone})`,
    failed: (why: string) => `The figures could not be read: ${why}`,
    empty: 'No licences of these kinds.',
    open: (licence: string) => `${licence}: show who, when and what`,
    notApplicable: 'not applicable',
    models: { CONCURRENT: 'Concurrent', FIXED: 'Fixed seats' },
    states: {
      overBase: (count: string) => `Over-allocated by ${count}`,
      overSeats: (count: string) => `${count} beyond all seats`,
      full: 'Full',
      contingency: (count: string) => `${count} on contingency`,
    },
    summary: (over: number, contingency: number, full: number) =>
      [
        over > 0 && `${over} over-allocated`,
        full > 0 && `${full} full`,
        contingency > 0 && `${contingency} on contingency`,
      ]
        .filter((part) => part !== false)
        .join(' · ') || 'Every licence is within what was bought.',
    groups: {
      base: {
        title: 'Base',
        about: 'Base licences: the right of a named user to exist. For fixed seats it is the seat itself.',
      },
      concurrent: {
        title: 'Concurrent Logons',
        about:
          'Seats that all holders share: as many can be logged on at one time as there are seats. A user takes one, on however many devices.',
      },
      contingency: {
        title: 'Contingency Logons',
        about:
          'Reserve seats, used once every concurrent seat is in use, and billed for the month in which they are.',
      },
    },
    columns: {
      organisation: { title: 'Organisation', about: 'The organisation that has the licences.' },
      activeUsers: {
        title: 'Active Users',
        about: 'Users of the organisation whose status is Active now. Pre-Active users are not counted.',
      },
      licence: {
        title: 'Licence Type',
        about: 'The licence that was bought. Open it to see who holds it and who is logged on.',
      },
      baseTotal: { title: 'Total', about: 'Base licences bought, and in force now.' },
      baseUsed: {
        title: 'Used',
        about: 'Base licences assigned to users, and those given back within their 90 days.',
      },
      baseReusable: {
        title: 'Reusable',
        about: 'Base licences given back within their 90 days that can still be reassigned, once.',
      },
      baseAvailable: {
        title: 'Available',
        about: 'How many more users can be given one: Total − Used + Reusable, and never below 0.',
      },
      concurrentTotal: { title: 'Total', about: 'Concurrent seats bought, and in force now.' },
      concurrentUsed: { title: 'Used', about: 'Concurrent seats in use now.' },
      concurrentAvailable: { title: 'Available', about: 'Concurrent seats free now.' },
      contingencyTotal: { title: 'Total', about: 'Contingency seats bought, and in force now.' },
      contingencyUsed: {
        title: 'Used',
        about:
          'Contingency seats in use by users who are logged on now. A concurrent seat that is freed takes one over at once.',
      },
      contingencyMaxUsed: {
        title: 'Max Used',
        about:
          'The most contingency seats in use at one time this month so far. This is the number that is billed for.',
      },
      contingencyAvailable: { title: 'Available', about: 'Contingency seats free now.' },
      activeInPeriod: {
        title: 'Active – Billing Period',
        about: 'Users whose status was Active at any time in the running billing period.',
      },
      today: {
        title: 'Today',
        about:
          'The most seats in use in each hour since midnight. Contingency is in the other colour, on top.',
      },
    },
    spark: (most: string, total: string, at: string) =>
      `At most ${most} of ${total} seats today, first at ${at}`,
    sparkNone: 'Nobody was logged on today',
  },
  detail: {
    close: 'Close',
    more: (shown: string, total: string) => `${shown} of ${total} are shown.`,
    failed: (why: string) => `This could not be read: ${why}`,
    yes: 'Yes',
    no: 'No',
    today: {
      title: 'Today',
      inUse: 'In use',
      concurrent: 'Concurrent seats',
      all: 'With contingency',
      summary: (most: string, at: string) => `The most in use today: ${most}, first at ${at}.`,
      none: 'No seat was in use today.',
    },
    sessions: {
      title: 'Live sessions',
      none: 'Nobody is logged on.',
      who: 'Who',
      device: 'Device',
      since: 'Since',
      seat: 'Seat',
      features: 'Channels and features',
      action: 'Action',
      seats: { CONCURRENT: 'Concurrent', CONTINGENCY: 'Contingency', FIXED: 'Fixed' },
      refused: (feature: string, reason: string) => `${feature}: refused, ${reason}`,
      reasons: {
        ALLOTMENT_FULL: 'reserved for others',
        CONTINGENCY_CAPPED: 'contingency is capped',
        NOT_ASSIGNED: 'not assigned',
        NOT_PURCHASED: 'not bought',
        NO_SEAT_AVAILABLE: 'no seat free',
      },
      logOff: 'Log off',
      logOffWhom: (who: string, device: string) => `Log off ${who} on ${device}`,
      confirm: 'Log off now',
      cancel: 'Keep',
      done: (who: string) => `${who} was logged off.`,
    },
    denials: {
      title: 'Denials today',
      none: 'Nobody was refused today.',
      when: 'When',
      who: 'Who',
      reason: 'Reason',
      codes: {
        ALLOTMENT_FULL: 'The free seats are reserved for others',
        CONTINGENCY_CAPPED: 'Contingency is capped',
        DEVICE_IN_USE: 'The device was in use',
        LICENCE_NOT_ASSIGNED: 'The user does not have the licence',
        NO_CHANNEL_AVAILABLE: 'No channel was free',
        NO_SEAT_AVAILABLE: 'Every seat was in use',
        NOT_PURCHASED: 'Not bought',
        SECOND_FACTOR_REQUIRED: 'A second factor was not shown',
        USER_NOT_ACTIVE: 'The user was not active',
      } as Readonly<Record<string, string>>,
    },
    released: {
      title: 'Base licences given back',
      about:
        'One that is reusable can be given to somebody else now. One that is locked was reassigned already, and only its last holder can have it back.',
      none: 'No base licence is within its 90 days.',
      last: 'Held last by',
      reusable: 'Reusable',
      freeOn: 'Free on',
    },
    holders: {
      title: 'Holders',
      none: 'No user has this licence.',
      who: 'Who',
      username: 'Username',
      status: 'Status',
      department: 'Department',
      statuses: { PRE_ACTIVE: 'Pre-Active', ACTIVE: 'Active', SUSPENDED: 'Suspended', DELETED: 'Deleted' },
    },
    purchases: {
      title: 'Purchases',
      none: 'Nothing was ever bought.',
      from: 'From',
      until: 'Until',
      open: 'open',
      base: 'Base',
      concurrent: 'Concurrent',
      contingency: 'Contingency',
      reference: 'Reference',
    },
  },
} as const;
