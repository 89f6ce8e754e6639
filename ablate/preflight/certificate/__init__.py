"""What each arm changes against its baseline, found out before anything is trained.

A certificate says for one arm at one grid point: which keys of the config differ, which modules, parameters and FLOPs
that changes, whether the network computes anything else with the same weights, and which parts of the recipe train it
otherwise. An arm that changes nothing anywhere would be compared with itself, so it is refused.

Taking certificates is in `ablate.preflight.certificate.certify`. Importing this loads no torch: reports read stored
ones.
"""

from ablate.preflight.certificate.form import Certificate, Evidence, load_certificates, write_certificates
from ablate.preflight.certificate.marks import CAPACITY, Mark, marks

__all__ = [
    "CAPACITY",
    "Certificate",
    "Evidence",
    "Mark",
    "load_certificates",
    "marks",
    "write_certificates",
]
