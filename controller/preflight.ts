// Looks at a program, or at a running process, and says what of it a recording covers. Role: the checks; docs/LIMITATIONS.md is the list
// that they look for.
//
// Invariants:
//  - Nothing of the program is executed, and no process is stopped or attached to. (The dynamic loader is asked for a program's libraries,
//    which maps them but runs none of their code.)
//  - A check that cannot be made says so ('unknown' is rendered as limited); silence would read as ok.
//
// Must not: print.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { release } from 'node:os';
import { basename, resolve } from 'node:path';

import { errnoOf, messageOf, UnderstudyError } from '../journal/src/errors.js';
import { analyseElf, ElfError, type ElfAnalysis } from '../native/index.js';
import { findCommand } from './commands.js';
import { thisMachine } from './machine.js';
import { toUnderstudyError } from './native-errors.js';

export type Coverage = 'ok' | 'limited' | 'unsupported';

export interface PreflightLine {
  /** Of the program, of a file, of the process, of this machine. */
  subject: string;
  coverage: Coverage;
  text: string;
  /** What to do about it. */
  advice: string | undefined;
}

export interface PreflightReport {
  target: string;
  /** The program and the libraries that were analysed. */
  files: string[];
  lines: PreflightLine[];
  coverage: Coverage;
}

export type PreflightProgress = (file: string, done: number, total: number) => void;

class Findings {
  readonly lines: PreflightLine[] = [];
  add(coverage: Coverage, subject: string, text: string, advice?: string): void {
    this.lines.push({ subject, coverage, text, advice });
  }
}

const SHEBANG_DEPTH_MAX = 4;
const KERNEL_MIN = [5, 11] as const;

export async function preflightCommand(
  argv: readonly string[],
  progress?: PreflightProgress,
): Promise<PreflightReport> {
  const found = new Findings();
  const command = argv[0];
  if (command === undefined) throw new UnderstudyError('E_USAGE', 'no command was given');
  checkMachine(found);
  const path = findCommand(command, process.env['PATH'], process.cwd());
  const elf = followScripts(path, found);
  checkPrivileges(path, found);
  if (elf !== path) checkPrivileges(elf, found);
  const main = analyse(elf, found);
  const files = [elf];
  if (main !== undefined) {
    checkProgram(elf, main, found);
    if (main.machine === 'x86-64') {
      const libraries = main.static ? [] : librariesOf(elf, main, found);
      files.push(...libraries);
      await checkFiles(files, found, progress);
    }
  }
  return report(argv.join(' '), files, found);
}

function report(target: string, files: string[], found: Findings): PreflightReport {
  const coverage = found.lines.some((l) => l.coverage === 'unsupported')
    ? 'unsupported'
    : found.lines.some((l) => l.coverage === 'limited')
      ? 'limited'
      : 'ok';
  return { target, files, lines: found.lines, coverage };
}

// ---- This machine -------------------------------------------------------------------------------------------

function checkMachine(found: Findings): void {
  const subject = 'this machine';
  const machine = thisMachine();
  if (process.platform !== 'linux' || machine.arch !== 'x64') {
    found.add('unsupported', subject, `${process.platform} on ${machine.arch}`, 'Recording needs Linux on x86-64.');
    return;
  }
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1])) {
    found.add(
      'unsupported',
      subject,
      `Linux ${release()} has no Syscall User Dispatch`,
      `Linux ${KERNEL_MIN.join('.')} or newer is needed.`,
    );
  } else if (!machine.cpu.flags.includes('fsgsbase')) {
    found.add(
      'unsupported',
      subject,
      "the processor's fsgsbase instructions are off",
      'A kernel of 5.9 or newer, started without nofsgsbase, turns them on.',
    );
  } else {
    found.add('ok', subject, `Linux ${release()}, ${machine.cpu.model}`);
  }
  const scope = Number(readText('/proc/sys/kernel/yama/ptrace_scope') ?? '0');
  if (scope >= 3) {
    found.add(
      'unsupported',
      subject,
      'kernel.yama.ptrace_scope is 3: no process may trace another',
      'It can be changed only by a restart with another setting.',
    );
  } else if (scope === 2 && process.getuid?.() !== 0) {
    found.add(
      'unsupported',
      subject,
      'kernel.yama.ptrace_scope is 2: only an administrator may trace',
      'Record as root, or set it to 1.',
    );
  }
}

// ---- Scripts ------------------------------------------------------------------------------------------------

/** The ELF file that runs in the end: a script's interpreter, followed as the kernel does. */
function followScripts(path: string, found: Findings): string {
  let current = path;
  for (let depth = 0; depth <= SHEBANG_DEPTH_MAX; depth++) {
    const line = firstLine(current);
    if (line === undefined) return realpathSync(current);
    const words = line.slice(2).trim().split(/\s+/);
    let interpreter = words[0] ?? '';
    if (interpreter === '' || !existsSync(interpreter)) {
      throw new UnderstudyError(
        'E_COMMAND_NOT_FOUND',
        `${current} names the interpreter '${interpreter}', which does not exist`,
      );
    }
    if (basename(interpreter) === 'env') {
      // env(1) looks its argument up in PATH; -S splits, and assignments may come first.
      const name = words.slice(1).find((word) => !word.startsWith('-') && !word.includes('='));
      if (name !== undefined) interpreter = findCommand(name, process.env['PATH'], process.cwd());
    }
    found.add(
      'ok',
      current,
      `a script for ${interpreter}; what follows is about that`,
      'Programs that it starts are recorded with it; look at them with preflight of their own.',
    );
    current = interpreter;
  }
  throw new UnderstudyError('E_COMMAND_NOT_EXECUTABLE', `${path}: interpreters are nested too deeply`);
}

function firstLine(path: string): string | undefined {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(256);
    const text = head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0));
    return text.startsWith('#!') ? text.split('\n', 1)[0] : undefined;
  } finally {
    closeSync(fd);
  }
}

// ---- Programs and libraries ---------------------------------------------------------------------------------

function analyse(path: string, found: Findings): ElfAnalysis | undefined {
  try {
    return analyseElf(path);
  } catch (error) {
    if (error instanceof ElfError) {
      found.add('unsupported', path, `not an ELF file that can be understood: ${error.message}`);
      return undefined;
    }
    throw toUnderstudyError(error);
  }
}

function checkPrivileges(path: string, found: Findings): void {
  const SETUID = 0o4000;
  const SETGID = 0o2000;
  const { mode } = statSync(path);
  if ((mode & SETUID) !== 0 || (mode & SETGID) !== 0) {
    const which = (mode & SETUID) !== 0 ? 'setuid' : 'setgid';
    found.add(
      'limited',
      path,
      `${which}: the kernel gives a traced program no privileges`,
      'Record as the user that it would change to.',
    );
  }
  try {
    const capabilities = execFileSync('getcap', [path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    if (capabilities !== '') {
      found.add(
        'limited',
        path,
        `has file capabilities (${capabilities.slice(path.length).trim()}), which a traced program does not get`,
        'Record as root, or grant them to the user.',
      );
    }
  } catch (error) {
    // getcap is often not in an ordinary user's PATH, or not installed: then there is no way to know.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function checkProgram(path: string, elf: ElfAnalysis, found: Findings): void {
  if (elf.machine === 'x86') {
    found.add('unsupported', path, 'a 32-bit program', 'Record a 64-bit build of it.');
  } else if (elf.machine === 'other') {
    found.add('unsupported', path, 'a program for another processor');
  } else if (elf.type !== 'exec' && elf.type !== 'dyn') {
    found.add('unsupported', path, `not a program (ELF type ${elf.type})`);
  } else {
    const how = elf.static ? 'statically linked' : `dynamically linked, loader ${elf.interpreter}`;
    found.add('ok', path, `64-bit, ${how}${elf.type === 'dyn' ? ', position-independent' : ''}`);
  }
}

/** All libraries that the loader would map at start, by absolute path. */
function librariesOf(path: string, elf: ElfAnalysis, found: Findings): string[] {
  let text: string;
  try {
    text = execFileSync(elf.interpreter, ['--list', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    found.add(
      'limited',
      path,
      `the loader does not list its libraries (${messageOf(error).split('\n')[0]}); they were not looked at`,
      'Look at a running process of it: understudy preflight PID.',
    );
    return existsSync(elf.interpreter) ? [realpathSync(elf.interpreter)] : [];
  }
  const libraries = new Set<string>();
  for (const line of text.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line);
    if (missing !== null)
      found.add('unsupported', path, `its library ${missing[1]!} is not found`, 'Install it, or set LD_LIBRARY_PATH.');
    const file = /=>\s*(\/\S+)|^\s*(\/\S+)\s+\(/.exec(line);
    const library = file?.[1] ?? file?.[2];
    if (library !== undefined && existsSync(library)) libraries.add(realpathSync(library));
  }
  libraries.add(realpathSync(elf.interpreter));
  return [...libraries];
}

// Compilers at run time, by the names of their libraries or programs.
const JIT_NAMES =
  /^(node|nodejs|java|luajit|pypy|deno|bun|dotnet|mono|php|julia|qemu)[\d.-]*$|lib(jvm|v8|node|luajit|pypy|mono|coreclr|LLVM|gccjit|jit|mozjs|javascriptcoregtk|QtWebEngine|tcc)/;
const MUCH_TRAPPING = 20;

async function checkFiles(files: readonly string[], found: Findings, progress?: PreflightProgress): Promise<void> {
  let syscalls = 0;
  let rewritten = 0;
  let analysed = 0;
  for (const [i, path] of files.entries()) {
    progress?.(path, i, files.length);
    // The sweep of a large library takes a good part of a second; let progress be drawn and Ctrl-C be taken between two.
    await new Promise((done) => setImmediate(done));
    const elf = analyse(path, found);
    if (elf === undefined) continue;
    analysed++;
    syscalls += elf.sites.syscall.found;
    rewritten += elf.sites.syscall.patchable;
    checkSites(path, elf, found);
    checkNames(path, elf, found);
  }
  const trapped = syscalls - rewritten;
  found.add(
    'ok',
    'system calls',
    `${syscalls} sites in ${analysed} ${analysed === 1 ? 'file' : 'files'}: ${rewritten} rewritten as jumps, ${trapped} caught by a trap (complete, but microseconds slower each)`,
  );
}

function checkSites(path: string, elf: ElfAnalysis, found: Findings): void {
  const calls = elf.sites.syscall;
  if (calls.found - calls.patchable > MUCH_TRAPPING) {
    found.add(
      'ok',
      path,
      `${calls.found - calls.patchable} of ${calls.found} system call sites can only be caught by a trap: slower where they are on a hot path`,
    );
  }
  const kinds = ['rdtsc', 'rdtscp', 'rdrand', 'rdseed', 'rdpid'] as const;
  for (const kind of kinds) {
    const { found: n, patchable } = elf.sites[kind];
    if (n === 0) continue;
    if (n === patchable) {
      found.add('ok', path, `${n} × ${kind}: recorded`);
    } else {
      found.add(
        'limited',
        path,
        `${n - patchable} of ${n} × ${kind} cannot be rewritten, and are not recorded if they run`,
        kind === 'rdrand' || kind === 'rdseed'
          ? 'OPENSSL_ia32cap=~0x4000000000000000 keeps OpenSSL from using it; other libraries have switches of their own.'
          : undefined,
      );
    }
  }
  if (elf.int80 > 0) {
    found.add(
      'limited',
      path,
      `${elf.int80} × int 0x80 or sysenter: 32-bit system calls are not seen if they run (often it is data that looks so)`,
    );
  }
  if (elf.gsUse > 0) {
    found.add(
      'limited',
      path,
      `${elf.gsUse} instructions use the gs register, which belongs to the agent (often it is data that looks so)`,
      'If the program sets gs itself (Wine, some language runtimes), it cannot be recorded.',
    );
  }
}

function checkNames(path: string, elf: ElfAnalysis, found: Findings): void {
  const name = basename(path);
  if (JIT_NAMES.test(name)) {
    found.add(
      'limited',
      path,
      'compiles code at run time: its system calls are seen (by a trap), its rdtsc and rdrand instructions are not',
      'Turn the compiler off if a replay diverges (node --jitless, java -Xint, PYPY without --jit).',
    );
  }
  if (/^liburing\.so/.test(name) || elf.needed.some((n) => n.startsWith('liburing'))) {
    found.add(
      'limited',
      path,
      'uses io_uring, which answers ENOSYS under recording',
      'Most programs fall back by themselves; some have an option for it.',
    );
  }
}

// ---- A running process --------------------------------------------------------------------------------------

export async function preflightProcess(pid: number, progress?: PreflightProgress): Promise<PreflightReport> {
  const found = new Findings();
  checkMachine(found);
  const proc = `/proc/${pid}`;
  if (!existsSync(proc)) throw new UnderstudyError('E_PROCESS_NOT_FOUND', `there is no process ${pid}`);
  let exe: string;
  try {
    exe = readlinkSync(`${proc}/exe`);
  } catch (error) {
    const why =
      errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM' ? 'it belongs to another user' : messageOf(error);
    throw new UnderstudyError('E_PROCESS_NOT_FOUND', `cannot look at process ${pid}: ${why}`, {
      hint: 'Run preflight as the user that owns it, or as root. Threads of the kernel have no program.',
      cause: error,
    });
  }
  found.add(
    'ok',
    `process ${pid}`,
    `runs ${exe}; a recording begins with a program's start`,
    `Start it with 'understudy record -- COMMAND'. What follows says what to expect then.`,
  );
  checkStatus(pid, found);
  checkDescriptors(pid, found);
  const files = checkMappings(pid, found);
  const readable = exe.replace(/ \(deleted\)$/, '');
  if (exe !== readable || !existsSync(exe)) {
    found.add(
      'limited',
      `process ${pid}`,
      `its program ${readable} was replaced or removed since it started`,
      'Restarted, it would be another program.',
    );
  } else {
    checkPrivileges(exe, found);
    const main = analyse(exe, found);
    if (main !== undefined) {
      checkProgram(exe, main, found);
      if (main.machine !== 'x86-64') return report(`process ${pid}`, [exe], found);
    }
    if (!files.includes(exe)) files.unshift(exe);
  }
  await checkFiles(files, found, progress);
  return report(`process ${pid}`, files, found);
}

function checkStatus(pid: number, found: Findings): void {
  const status = readText(`/proc/${pid}/status`) ?? '';
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const subject = `process ${pid}`;
  const threads = Number(field('Threads'));
  if (threads > 1) {
    found.add(
      'limited',
      subject,
      `${threads} threads: recorded, they run their own code one at a time`,
      'Expect less speed if it computes in parallel; work inside system calls overlaps.',
    );
  } else {
    found.add('ok', subject, 'one thread');
  }
  if (Number(field('TracerPid')) !== 0)
    found.add(
      'limited',
      subject,
      `is being traced by process ${field('TracerPid')}`,
      'A recorded program cannot be traced at the same time.',
    );
  if (field('Seccomp') === '2') {
    found.add(
      'limited',
      subject,
      'runs under a seccomp filter',
      'If the program installed it itself, it may forbid calls of the agent; look for an option that turns its sandbox off.',
    );
  }
  const children = (readText(`/proc/${pid}/task/${pid}/children`) ?? '').trim();
  if (children !== '') {
    const n = children.split(/\s+/).length;
    found.add(
      'ok',
      subject,
      `${n} child ${n === 1 ? 'process' : 'processes'}: recorded with it, when it starts them itself`,
    );
  }
}

interface DescriptorClass {
  match: RegExp;
  name: string;
  coverage: Coverage;
  text: string;
  advice?: string;
}

const DESCRIPTORS: readonly DescriptorClass[] = [
  { match: /^socket:/, name: 'sockets', coverage: 'ok', text: 'recorded' },
  { match: /^pipe:|^\/.*fifo/, name: 'pipes', coverage: 'ok', text: 'recorded' },
  {
    match: /^anon_inode:\[?(eventpoll|eventfd|timerfd|signalfd|inotify|fanotify|pidfd)/,
    name: 'event descriptors',
    coverage: 'ok',
    text: 'recorded',
  },
  {
    match: /^anon_inode:\[?io_uring/,
    name: 'io_uring',
    coverage: 'limited',
    text: 'answers ENOSYS under recording',
    advice: 'Most programs fall back by themselves; some have an option for it.',
  },
  {
    match: /^anon_inode:\[?userfaultfd/,
    name: 'userfaultfd',
    coverage: 'limited',
    text: 'answers ENOSYS under recording',
  },
  {
    match: /^anon_inode:\[?(kvm|perf_event|bpf)/,
    name: 'KVM, perf or BPF',
    coverage: 'unsupported',
    text: 'shares memory with the kernel that no system call shows',
  },
  {
    match: /^\/dev\/(null|zero|full|u?random|tty|pts\/|ptmx|console|shm\/)/,
    name: 'terminals and plain devices',
    coverage: 'ok',
    text: 'recorded',
  },
  {
    match: /^\/dev\/(nvidia|dri|kfd|infiniband|vfio|uio|mem|hugepages)/,
    name: 'mapped devices',
    coverage: 'unsupported',
    text: 'devices that are mapped into memory are not recorded',
    advice: 'Run it without the device (most programs can compute on the processor).',
  },
  {
    match: /^\/dev\//,
    name: 'other devices',
    coverage: 'limited',
    text: 'reads and writes are recorded; unknown ioctls only with their result',
  },
  {
    match: /^(\/memfd:|\/dev\/shm\/|\/SYSV)/,
    name: 'shared memory',
    coverage: 'limited',
    text: 'exact among the processes of the recording; changes from outside are not seen',
  },
  { match: /^\//, name: 'files', coverage: 'ok', text: 'what is read from them is recorded' },
];

function checkDescriptors(pid: number, found: Findings): void {
  const subject = `process ${pid}`;
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    found.add(
      'limited',
      subject,
      `its descriptors cannot be looked at (${errnoOf(error) ?? messageOf(error)})`,
      'Run preflight as its owner or as root.',
    );
    return;
  }
  const counts = new Map<DescriptorClass, string[]>();
  for (const name of names) {
    let target: string;
    try {
      target = readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      // Closed since it was listed.
      continue;
    }
    const type = DESCRIPTORS.find((d) => d.match.test(target));
    if (type === undefined) {
      found.add('limited', subject, `descriptor ${name} is ${target}, which is of no known type`);
      continue;
    }
    counts.set(type, [...(counts.get(type) ?? []), target]);
  }
  for (const [type, targets] of counts) {
    const which = type.coverage === 'ok' ? '' : ` (${[...new Set(targets)].slice(0, 3).join(', ')})`;
    found.add(type.coverage, subject, `${targets.length} open: ${type.name}${which}: ${type.text}`, type.advice);
  }
}

/** Reports odd mappings; returns the files that are mapped executable. */
function checkMappings(pid: number, found: Findings): string[] {
  const subject = `process ${pid}`;
  const text = readText(`/proc/${pid}/maps`);
  if (text === undefined) {
    found.add('limited', subject, 'its memory map cannot be read', 'Run preflight as its owner or as root.');
    return [];
  }
  const files = new Set<string>();
  const shared = new Set<string>();
  let generated = 0;
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (match === null) continue;
    const prot = match[3]!;
    const name = match[4]!;
    if (/^\/dev\/(?!zero|shm\/|hugepages)/.test(name)) {
      found.add('unsupported', subject, `${name} is mapped into memory: what a device does there is not recorded`);
    } else if (prot.includes('x') && name.startsWith('/') && !name.endsWith(' (deleted)')) {
      files.add(name);
    } else if (prot.includes('x') && !name.startsWith('[')) {
      generated++;
    }
    if (prot[3] === 's' && prot[1] === 'w' && name !== '' && !name.startsWith('/dev/zero')) shared.add(name);
  }
  if (generated > 0) {
    found.add(
      'limited',
      subject,
      `${generated} executable mappings of no file: code made at run time. Its system calls are seen (by a trap), its rdtsc and rdrand instructions are not`,
      'Turn the run-time compiler off if a replay diverges.',
    );
  }
  if (shared.size > 0) {
    const names = [...shared];
    found.add(
      'limited',
      subject,
      `${names.length} writable shared ${names.length === 1 ? 'mapping' : 'mappings'} (${names.slice(0, 3).join(', ')}): exact among the processes of the recording; changes from outside are not seen`,
    );
  }
  return [...files].filter((file) => existsSync(file)).map((file) => resolve(file));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Not on this kernel, or not ours to read: each caller says what that means.
    return undefined;
  }
}
