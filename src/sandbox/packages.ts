/**
 * Packages beyond the standard library that programs may import, where a person names them (none by default): numpy,
 * sympy. Found by the host's own Python with what they require; only their folders are shown to programs, read-only.
 *
 * A package's results hang on its version and, for numpy, on the processor's kernels: they are as repeatable as the
 * machine. Threads are set to one, because programs can start none.
 */
import type { Missing } from './environment.js';

/** A file or folder of a package, on the host, and its name beside the others. */
export interface PackageEntry {
  readonly path: string;
  readonly name: string;
}

export interface Packages {
  /** Versions by the name that was asked for. */
  readonly versions: Readonly<Record<string, string>>;
  readonly entries: readonly PackageEntry[];
  /** Folders of the host in which the entries are. */
  readonly roots: readonly string[];
}

export const NO_PACKAGES: Packages = { versions: {}, entries: [], roots: [] };
/** Where programs see the packages. */
export const PACKAGES_FOLDER = '/packages';

/** Results must not hang on how many cores there are. */
export const PACKAGE_VARIABLES: readonly (readonly [string, string])[] = [
  ['OPENBLAS_NUM_THREADS', '1'],
  ['OMP_NUM_THREADS', '1'],
  ['MKL_NUM_THREADS', '1'],
];

/** Asked of the host's Python: importable names in, versions and files out; what a distribution requires is followed. */
const QUESTION = `
import json, re, sys
from importlib import metadata
by_module = metadata.packages_distributions()
versions, entries, missing, seen = {}, {}, [], set()
def take(name):
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return None
    seen.add(key)
    found = metadata.distribution(name)
    for file in found.files or ():
        top = file.parts[0]
        if top in ("..", "/", "__pycache__") or top.endswith((".dist-info", ".pth")):
            continue
        entries[top] = str(found.locate_file(top))
    for requirement in found.requires or ():
        if "extra" in requirement.partition(";")[2]:
            continue
        try:
            take(re.match(r"[A-Za-z0-9._-]+", requirement)[0])
        except metadata.PackageNotFoundError:
            pass
    return found.version
for module in sys.argv[1:]:
    if module not in by_module:
        missing.append(module)
        continue
    versions[module] = metadata.version(by_module[module][0])
    take(by_module[module][0])
print(json.dumps({"versions": versions, "entries": entries, "missing": missing}))
`;

interface Found {
  readonly versions: Record<string, string>;
  readonly entries: Record<string, string>;
  readonly missing: readonly string[];
}

type Ask = (
  file: string,
  args: readonly string[],
) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;

/**
 * Finds packages in an installation of Python. `names` are what an import says; a name that is none throws RangeError, a
 * package that is not installed is a value.
 */
export async function findPackages(
  ask: Ask,
  python: string,
  names: readonly string[],
): Promise<{ readonly ok: true; readonly packages: Packages } | Missing> {
  if (names.length === 0) return { ok: true, packages: NO_PACKAGES };
  for (const name of names)
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new RangeError(
        `packages has ${JSON.stringify(name)}; accepted are names as an import writes them, e.g. numpy`,
      );
  const answer = await ask(python, ['-I', '-c', QUESTION, ...names]);
  if (answer.code !== 0)
    return {
      ok: false,
      missing: `an answer of ${python} about its packages (${answer.stderr.trim().split('\n').at(-1) ?? ''})`,
      remedy: 'name another Python 3.11 with --python',
    };
  const { versions, entries, missing } = JSON.parse(answer.stdout) as Found;
  if (missing.length > 0)
    return {
      ok: false,
      missing: `the package ${missing.join(', ')} of ${python}`,
      remedy: `${python} -m pip install ${missing.join(' ')}, or leave it out of the allowed packages`,
    };
  const list = Object.entries(entries).map(([name, path]) => ({ name, path }));
  const roots = [...new Set(list.map(({ name, path }) => path.slice(0, -name.length - 1)))];
  return { ok: true, packages: { versions, entries: list, roots } };
}
