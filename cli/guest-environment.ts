// What scripts/understudy kept from Node is given to the guest.
//
// Invariant: neither of the two variables is seen by a guest, whatever started the CLI.

export interface GuestStart {
  env: NodeJS.ProcessEnv;
  /** A bit for each signal that is ignored: 1 is SIGHUP. */
  ignoredSignals: bigint;
}

export function guestStart(env: NodeJS.ProcessEnv): GuestStart {
  const { UNDERSTUDY_GUEST_CA_CERTS: certificates, UNDERSTUDY_GUEST_IGNORES: ignores, ...rest } = env;
  if (certificates !== undefined) rest['NODE_EXTRA_CA_CERTS'] = certificates;
  return { env: rest, ignoredSignals: /^\d+$/.test(ignores ?? '') ? BigInt(ignores!) : 0n };
}
