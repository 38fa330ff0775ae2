"""What the doctor looks at on the machine that serves: packages, settings, disk, database, port and clock."""

from service.doctor.examination import Check, checks

__all__ = ["Check", "checks"]
