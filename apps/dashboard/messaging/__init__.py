"""Templates, and the editor of words that campaigns use too."""
