"""What the doctor looks at on the machine that trains: cores, torch, devices, and tasks. Nothing here imports torch
outside a process of its own."""
