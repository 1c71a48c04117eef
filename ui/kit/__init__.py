"""What the tabs share: pieces of HTML, panels of replies, controls, downloads and the owner's key."""
