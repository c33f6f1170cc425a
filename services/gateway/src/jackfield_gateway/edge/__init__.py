"""The webhook listener: proves who sent a delivery and puts it on the bus, on a port of its own."""

from jackfield_gateway.edge.edge import Edge
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.statistics import EdgeStats

__all__ = ["Edge", "EdgeSettings", "EdgeStats"]
