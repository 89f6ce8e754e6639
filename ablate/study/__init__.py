"""From what the user typed to cells: sections, arms, designs, seeds, claims."""
